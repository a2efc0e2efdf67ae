//! The real binary in a throwaway directory.

#![allow(clippy::unwrap_used, reason = "whatever fails in a test fails the test")]

mod busybox;
mod full_disk;
mod once;
mod repeat;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A data directory and a directory to list, both empty.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        fs::create_dir(directory.path().join("data")).unwrap();
        fs::create_dir(directory.path().join("root")).unwrap();
        Self { directory }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// getdata with these two directories, and without what the tests' environment sets.
    fn getdata(&self) -> Command {
        let mut command = getdata();
        command.arg("--data-dir").arg(self.data()).arg("--root").arg(self.root());
        command
    }

    /// The names of the listings that wait, sorted.
    fn waiting(&self) -> Vec<String> {
        let names =
            fs::read_dir(self.data()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.starts_with("listing")).collect();
        names.sort();
        names
    }

    fn listing(&self) -> String {
        fs::read_to_string(self.data().join("listing.txt")).unwrap()
    }

    /// Fails where anything is left of work in progress.
    fn assert_nothing_in_hand(&self) {
        let left = files(&self.data().join(".pipe"));
        assert!(left.is_empty(), "{left:?}");
    }
}

fn getdata() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_getdata"));
    for variable in ["ROOT", "EVERY", "MAX_BACKLOG", "DATA_DIR", "RUST_LOG", "LOG_FORMAT"] {
        command.env_remove(variable);
    }
    command
}

/// All regular files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let below = |entry: fs::DirEntry| match entry.file_type().unwrap().is_dir() {
        true => files(&entry.path()),
        false => vec![entry.path()],
    };
    entries.flat_map(|entry| below(entry.unwrap())).collect()
}

/// Runs it to its end; its standard error as text.
fn run(command: &mut Command) -> (Output, String) {
    let output = command.output().unwrap();
    let log = String::from_utf8(output.stderr.clone()).unwrap();
    (output, log)
}

/// Looks again and again until it is so.
fn wait_until(what: &str, so: impl Fn() -> bool) {
    let started = Instant::now();
    while !so() {
        assert!(started.elapsed() < Duration::from_secs(60), "waited too long until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
