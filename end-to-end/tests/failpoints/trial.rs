//! A trial: a program is killed at given points, one run after the other, then run to its end and judged.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Command;

use end_to_end::DataDir;

/// A file: each failpoint that a program passes is added to it, a line each. `lib/volume` has the failpoints.
const FAILPOINTS: &str = "FAILPOINTS";
/// A number: the program is killed at its failpoint of that number, counted from 1.
const FAIL_AT: &str = "FAIL_AT";

/// A program and what it is given.
pub(crate) trait Case: Sync {
    /// For people.
    fn name(&self) -> String;
    /// A fresh directory, and what else one trial has of its own.
    fn begin(&self) -> Box<dyn Attempt>;
}

/// One trial of a case.
pub(crate) trait Attempt {
    /// The directory it happens in.
    fn data(&self) -> &DataDir;
    /// What is run each time.
    fn command(&self) -> Command;
    /// Checks that nothing was lost or doubled, once the last run has ended well after so many crashes. `printed` is
    /// what all runs wrote to standard output.
    fn check(&self, printed: &str, crashes: usize);
}

/// How a run went.
pub(crate) struct Run {
    /// The failpoints that it passed: file, line, column and name.
    pub(crate) points: Vec<String>,
    pub(crate) was_killed: bool,
    printed: String,
}

impl Run {
    /// Where it was killed.
    pub(crate) fn killed_at(&self) -> Option<&str> {
        self.points.last().filter(|_| self.was_killed).map(|point| place(point))
    }
}

/// A point's file, line and column, without its name.
pub(crate) fn place(point: &str) -> &str {
    point.split(' ').next().unwrap()
}

/// Kills a program at its points of these numbers, a run each, then runs it to its end and checks what came of it.
pub(crate) fn attempt(case: &dyn Case, kill_at: &[usize]) -> Vec<Run> {
    let attempt = case.begin();
    let kills = kill_at.iter().map(|number| Some(*number)).chain([None]);
    let runs: Vec<Run> = kills.map(|number| run(&*attempt, number)).collect();
    let crashes = runs.iter().filter(|run| run.was_killed).count();
    let printed: String = runs.iter().map(|run| run.printed.as_str()).collect();
    attempt.check(&printed, crashes);
    assert_eq!(attempt.data().in_hand(), Vec::<PathBuf>::new(), "left on the volume");
    runs
}

fn run(attempt: &dyn Attempt, kill_at: Option<usize>) -> Run {
    let list = tempfile::NamedTempFile::new_in(attempt.data().path().parent().unwrap()).unwrap();
    let mut command = attempt.command();
    command.env(FAILPOINTS, list.path());
    if let Some(number) = kill_at {
        command.env(FAIL_AT, number.to_string());
    }
    let output = command.output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(!log.contains("panicked"), "{log}");
    let was_killed = output.status.signal() == Some(9);
    assert!(was_killed || output.status.success(), "{}: {log}", output.status);
    let points = fs::read_to_string(list.path()).unwrap();
    Run {
        points: points.lines().map(str::to_owned).collect(),
        was_killed,
        printed: String::from_utf8(output.stdout).unwrap(),
    }
}
