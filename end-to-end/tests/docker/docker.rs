//! Docker's commands, and the images that it builds of this checkout.

use std::process::Command;
use std::sync::Once;

use end_to_end::{deployed, jobs};

/// Who runs in the images, and owns the volume.
pub(crate) const USER: u32 = 65532;

/// Programs that take many minutes to compile.
const SLOW: [&str; 2] = ["data-pipeline", "sequential-job"];

/// A command of Docker's at the root of the checkout.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).args(args);
    command
}

/// The programs whose images are built and tried. Those that take long to compile are only with `ALL_IMAGES`, as at night.
pub(crate) fn images() -> impl Iterator<Item = &'static str> {
    let all = std::env::var_os("ALL_IMAGES").is_some();
    deployed().into_iter().chain(jobs()).filter(move |name| all || !SLOW.contains(name))
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
        BUILT.call_once(|| {
            docker(&["compose", "build"]);
            // They are none of the chain's that Compose starts.
            for name in images().filter(|name| !deployed().contains(name)) {
                docker(&["build", "--target", name, "--tag", &image(name), "."]);
            }
        });
    } else {
        eprintln!("{test}: skipped, it needs Docker and its Compose plugin");
    }
    ready
}
