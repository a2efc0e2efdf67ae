//! Docker's commands, and the images that it builds of this checkout.

use std::process::Command;
use std::sync::Once;

/// Who runs in the images, and owns the volume.
pub(crate) const USER: u32 = 65532;

/// A command of Docker's at the root of the checkout.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).args(args);
    command
}

/// Runs a command of Docker's to its end, and returns what it printed.
///
/// # Panics
/// It fails.
pub(crate) fn docker(args: &[&str]) -> String {
    String::from_utf8_lossy(&end_to_end::run(&mut command(args)).stdout).into_owned()
}

/// The name of a service's image.
pub(crate) fn image(service: &str) -> String {
    format!("k8s-pipe/{service}:{}", env!("CARGO_PKG_VERSION"))
}

/// Whether Docker and Compose are there, and the images built. CI must have them.
pub(crate) fn is_ready(test: &str) -> bool {
    let answers = |args| command(args).output().is_ok_and(|output| output.status.success());
    let ready = answers(&["info"]) && answers(&["compose", "version"]);
    assert!(ready || std::env::var_os("CI").is_none(), "{test} must run in CI, with Docker and Compose");
    if ready {
        static BUILT: Once = Once::new();
        BUILT.call_once(|| drop(docker(&["compose", "build"])));
    } else {
        eprintln!("{test}: skipped, it needs Docker and its Compose plugin");
    }
    ready
}
