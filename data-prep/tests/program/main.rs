//! The real binary, against a server of the test's own.

#![allow(clippy::unwrap_used, reason = "whatever fails in a test fails the test")]

mod answers;
mod bounds;
mod https;
mod iris;
mod killed;
mod resume;
mod server;
mod stopped;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const NAMES: &str = "sepal-length,sepal-width,petal-length,petal-width,class";

/// The data set as it is served: 150 rows without a header, and a blank line.
fn iris() -> Vec<u8> {
    fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/test_data/iris.data")).unwrap()
}

/// What is made of it.
fn cleaned() -> String {
    format!("{NAMES}\n{}\n", String::from_utf8(iris()).unwrap().trim_end())
}

/// A data directory.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The command that fetches the Iris data, which has no header, from there.
    fn data_prep(&self, url: &str) -> Command {
        let mut command = self.with_header(url);
        command.args(["--names", NAMES]);
        command
    }

    /// The same for data that has a header.
    fn with_header(&self, url: &str) -> Command {
        let mut command = data_prep();
        command.arg("--data-dir").arg(self.path()).args(["--url", url, "--output", "iris.csv"]);
        command
    }

    /// What was published, in the order of the names.
    fn published(&self) -> Vec<(String, String)> {
        let entries = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap());
        let files = entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
        let files = files.filter(|(name, _)| name.starts_with("iris"));
        let mut files: Vec<_> = files.map(|(name, path)| (name, fs::read_to_string(path).unwrap())).collect();
        files.sort_by_key(|(name, _)| name.trim_end_matches(".csv").to_owned());
        files
    }

    /// What was set aside, in the order of the names.
    fn rejected(&self) -> Vec<String> {
        let mut files = files(&self.path().join("rejected"));
        files.sort();
        files.iter().map(|file| String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned()).collect()
    }

    /// What has come of the download that is under way; empty where none is.
    fn download(&self) -> Vec<u8> {
        let files = files(&self.path().join(".pipe"));
        let mut inputs = files.iter().filter(|file| file.file_name().unwrap() == "input.1");
        // What an earlier run left may be deleted meanwhile.
        inputs.next_back().and_then(|input| fs::read(input).ok()).unwrap_or_default()
    }

    /// Fails where anything is left of work in progress.
    fn assert_nothing_in_hand(&self) {
        let left = files(&self.path().join(".pipe"));
        assert!(left.is_empty(), "{left:?}");
    }

    /// Fails where anything was published or is left.
    fn assert_untouched(&self) {
        let left = files(self.path());
        assert!(left.is_empty(), "{left:?}");
    }
}

/// The program, without this test's own settings in its environment.
fn data_prep() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_data-prep"));
    command.env_clear();
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

/// Fails unless it fails with status 1 and says this, having published nothing.
fn assert_fails(place: &Place, command: &mut Command, expected: &str) -> String {
    let (output, log) = run(command);
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains(expected), "{expected:?} in {log}");
    assert!(output.stdout.is_empty());
    place.assert_untouched();
    log
}

/// Fails unless it succeeds and publishes the Iris data.
fn assert_fetches_iris(place: &Place, command: &mut Command) -> String {
    let (output, log) = run(command);
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert_eq!(place.published(), [("iris.csv".to_owned(), cleaned())]);
    place.assert_nothing_in_hand();
    log
}

/// Looks again and again until it is so.
fn wait_until(what: &str, so: impl Fn() -> bool) {
    let started = Instant::now();
    while !so() {
        assert!(started.elapsed() < Duration::from_secs(120), "waited too long until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
