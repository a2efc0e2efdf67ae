//! The real programs, and their commands.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Once;

use tempfile::TempDir;

/// The path of one of the workspace's programs, built as the tests themselves are.
pub fn program(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    let directory = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().to_owned();
    // `cargo test` builds no program of a package without tests of its own. With all targets, the
    // dependencies are the very ones that the tests have.
    BUILT.call_once(|| {
        let mut build = Command::new(env!("CARGO"));
        build
            .args(["build", "--workspace", "--all-targets", "--quiet"])
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        // What cargo tells this test of its own package makes some build scripts run again, and then all behind them.
        for (name, _) in std::env::vars_os() {
            if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|own| name.to_string_lossy().starts_with(own)) {
                build.env_remove(name);
            }
        }
        if directory.ends_with("release") {
            // `just long` leaves it out too: its table engine has a profile of its own.
            build.args(["--release", "--exclude", "data-pipeline"]);
        }
        assert!(build.status().unwrap().success(), "the programs do not build");
    });
    directory.join(name)
}

/// A copy of a program where any user may run it, gone with the directory.
pub fn program_for_anyone(name: &str) -> (PathBuf, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = directory.path().join(name);
    // By another process: a child that this one starts meanwhile would inherit the open copy, and keep it busy.
    run(Command::new("cp").arg(program(name)).arg(&copy));
    (copy, directory)
}

/// A program's command without this test's own settings in its environment.
fn command(name: &str) -> Command {
    let mut command = Command::new(program(name));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The command of a stage or getdata on a data directory, looking often and settling soon.
pub fn stage(name: &str, data_dir: &Path, args: &[&str]) -> Command {
    let mut command = command(name);
    command.arg("--data-dir").arg(data_dir).args(args);
    if name != "getdata" {
        command.args(["--rescan-interval", "50ms"]);
        if !args.contains(&"--settle") {
            command.args(["--settle", "200ms"]);
        }
        if !args.contains(&"--once") && !args.contains(&"--admin-listen") {
            command.args(["--admin-listen", "127.0.0.1:0"]);
        }
    }
    command
}

/// The command of an api on free ports of loopback.
pub fn api() -> Command {
    let mut command = command("api");
    command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command
}

/// The command of a dashboard on a data directory, on free ports of loopback.
pub fn dashboard(data_dir: &Path) -> Command {
    let mut command = command("dashboard");
    command.arg("--data-dir").arg(data_dir);
    command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command
}

/// A stage's command as nobody runs it, who may not read where the programs are built: from a copy, gone with the directory.
pub fn as_nobody(stage: &Command) -> (Command, TempDir) {
    const NOBODY: u32 = 65534;
    let name = Path::new(stage.get_program()).file_name().unwrap().to_str().unwrap();
    let (program, directory) = program_for_anyone(name);
    let mut command = Command::new(program);
    command.args(stage.get_args()).env_clear().uid(NOBODY).gid(NOBODY);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    (command, directory)
}

/// Runs a command to its end; on success returns what it printed.
///
/// # Panics
/// It fails.
pub fn run(command: &mut Command) -> Output {
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
