//! The real binary in a throwaway directory.

#![allow(clippy::unwrap_used, reason = "whatever fails in a test fails the test")]
#![allow(clippy::disallowed_methods, reason = "nothing here lies on a volume of the chain")]

mod failures;
mod formats;
mod https;
mod killed;
mod manifest;
mod memory;
mod network;
mod numbers;
mod output;
mod rules;
mod stages;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use data_pipeline::summary::{ColumnSummary, Report};
use tempfile::TempDir;

/// A directory for sources, reports and work in progress.
struct Place(TempDir);

/// How a run ended, and what it said.
#[derive(Debug)]
struct Ended {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Place {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The program with this place's directories, and without what the tests' environment sets.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_data-pipeline"));
        command.env_clear().env("OUTPUT_DIR", self.path("reports")).env("TEMP_DIR", self.path("temp"));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        ended(self.command(arguments).output().unwrap())
    }

    /// A run that succeeds.
    fn succeed(&self, arguments: &[&str]) -> Ended {
        let ended = self.run(arguments);
        assert_eq!(ended.status, Some(0), "{ended:?}");
        ended
    }

    /// The report of a run over these sources.
    fn report_of(&self, sources: &str, arguments: &[&str]) -> Report {
        for path in self.reports() {
            fs::remove_file(path).unwrap();
        }
        self.succeed(&[&["--data-sources", sources], arguments].concat());
        self.assert_clean();
        self.report()
    }

    /// The only report.
    fn report(&self) -> Report {
        let reports = self.reports();
        assert_eq!(reports.len(), 1, "{reports:?}");
        serde_json::from_slice(&fs::read(&reports[0]).unwrap()).unwrap()
    }

    fn reports(&self) -> Vec<PathBuf> {
        let is_report = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("report-");
        entries(&self.path("reports")).into_iter().filter(is_report).collect()
    }

    fn rejects(&self, source: &str) -> String {
        fs::read_to_string(self.path("reports").join(format!("rejects-{source}.csv"))).unwrap()
    }

    /// Fails where a run left something besides its reports.
    fn assert_clean(&self) {
        assert_eq!(entries(&self.path("temp")), Vec::<PathBuf>::new());
        for path in entries(&self.path("reports")) {
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(name.starts_with("report-") || name.starts_with("rejects-"), "{name}");
        }
    }
}

fn ended(output: std::process::Output) -> Ended {
    Ended {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// What lies in a directory, sorted; nothing where there is none.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn column<'a>(report: &'a Report, name: &str) -> &'a ColumnSummary {
    report.columns.iter().find(|column| column.name == name).unwrap_or_else(|| panic!("no column {name}"))
}

/// What a report says of the columns, with means and deviations to ten digits: in which order the records of several
/// sources are summed up is open.
fn comparable(report: Report) -> Vec<ColumnSummary> {
    let rounded = |number: f64| format!("{number:.9e}").parse::<f64>().unwrap();
    let mut columns = report.columns;
    for column in &mut columns {
        column.mean = column.mean.map(rounded);
        column.standard_deviation = column.standard_deviation.map(rounded);
    }
    columns
}
