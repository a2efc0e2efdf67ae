//! One start of the Compose file, under a name of its own.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use end_to_end::{documented_commands, run};
use tempfile::NamedTempFile;

use crate::docker::{USER, command, docker};

/// The dashboard's on this machine: others may have the one of the file.
const FREE_PORT: &str = "0";

/// A project, gone with the test.
pub(crate) struct Project {
    name: String,
    data: OnceLock<PathBuf>,
}

/// What a container has printed.
pub(crate) struct Log {
    pub(crate) out: String,
    pub(crate) diagnostics: String,
}

impl Project {
    pub(crate) fn new() -> Self {
        let project =
            Project { name: format!("k8s-pipe-test-{}", std::process::id()), data: OnceLock::new() };
        // What a run before this one left under the same number.
        project.compose(&["down", "--volumes", "--timeout", "0"]);
        project
    }

    /// Runs a command of Compose's; returns what it printed.
    pub(crate) fn compose(&self, args: &[&str]) -> String {
        let mut command = command(&[&["compose", "--project-name", &self.name], args].concat());
        let output = run(command.env("DASHBOARD_PORT", FREE_PORT));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The README's command that has `part` in it, for this project.
    pub(crate) fn documented(&self, part: &str) -> Command {
        let line = documented_commands("README.md").into_iter().find(|line| line.contains(part)).unwrap();
        let args: Vec<&str> = line.strip_prefix("docker ").unwrap().split(' ').collect();
        let mut command = command(&args);
        command.env("COMPOSE_PROJECT_NAME", &self.name).env("DASHBOARD_PORT", FREE_PORT);
        command
    }

    /// What a service's only container has printed, from its first start on.
    pub(crate) fn log(&self, service: &str) -> Log {
        let output = run(&mut command(&["logs", &self.container(service)]));
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Log { out: text(output.stdout), diagnostics: text(output.stderr) }
    }

    /// The id of a service's only container, also where it has ended.
    pub(crate) fn container(&self, service: &str) -> String {
        self.compose(&["ps", "--all", "--quiet", service]).trim().to_owned()
    }

    /// Where the volume lies on this machine.
    pub(crate) fn data(&self) -> &Path {
        self.data.get_or_init(|| {
            let volume = format!("{}_storage", self.name);
            docker(&["volume", "inspect", "--format", "{{.Mountpoint}}", &volume]).trim().into()
        })
    }

    /// Drops a listing of so many entries into the volume, whole; each has `mark` and its number in its name.
    pub(crate) fn drop_listing(&self, mark: &str, entries: usize) {
        let line =
            |number| format!("-rw-r--r--    1 root     root            19 Mar 19 23:57 /{mark}/{number}\n");
        let mut file = NamedTempFile::new_in(self.data()).unwrap();
        file.write_all((1..=entries).map(line).collect::<String>().as_bytes()).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
        chown(file.path(), Some(USER), Some(USER)).unwrap();
        file.persist(self.data().join(format!("listing-{mark}.txt"))).unwrap();
    }

    /// The files that wait on the volume or are in hand.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        collect(self.data(), &mut found);
        found.retain(|path| path.file_name().is_some_and(|name| name != "lock"));
        found
    }

    /// Takes everything down as the README says; returns the exit code of each container that ended by it.
    pub(crate) fn down(&self) -> Vec<String> {
        let since = seconds();
        run(&mut self.documented("compose down"));
        let until = (seconds() + 1).to_string();
        let of_this = format!("label=com.docker.compose.project={}", self.name);
        let ended = docker(&[
            "events",
            "--since",
            &since.to_string(),
            "--until",
            &until,
            "--filter",
            "event=die",
            "--filter",
            &of_this,
            "--format",
            "{{.Actor.Attributes.exitCode}}",
        ]);
        ended.lines().map(str::to_owned).collect()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        // Fails only where the test has failed already.
        let args = ["compose", "--project-name", &self.name, "down", "--volumes", "--timeout", "0"];
        let _ = command(&args).output();
    }
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Adds the files below a directory; what goes away meanwhile is not there.
fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&entry.path(), found),
            Ok(_) => found.push(entry.path()),
            Err(_) => {}
        }
    }
}
