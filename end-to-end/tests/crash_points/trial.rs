//! A trial: a program is killed at given points, one run after the other, then run to its end and judged.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::DataDir;

/// What tells a self-test's files in the data folder and in `rejected/` from others.
const SELF_TEST: &str = ".self-test-";
/// The id of a self-test that began in 2022: nobody can be at it any more.
pub(crate) const OLD_ID: &str = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";

/// A program and what it is given.
pub(crate) trait Case: Sync {
    /// For people.
    fn name(&self) -> String;
    /// A fresh folder, and what else one trial has of its own.
    fn begin(&self) -> Box<dyn Attempt>;
}

/// One trial of a case.
pub(crate) trait Attempt {
    /// The folder it happens in.
    fn data(&self) -> &DataDir;
    /// What is run each time.
    fn command(&self) -> Command;
    /// Checks that nothing was lost or doubled, once the last run has ended well after so many crashes. `printed` is
    /// what all runs wrote to standard output.
    fn check(&self, printed: &str, crashes: usize);
}

/// How a run went.
pub(crate) struct Run {
    /// The points that it passed: file, line, column and name.
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
    let left = in_hand_but_for_self_tests(attempt.data());
    assert_eq!(left, Vec::<PathBuf>::new(), "left in .pipe/");
    if grow_old(attempt.data()) {
        run(&*attempt, None);
        assert!(!grow_old(attempt.data()), "a self-test's leftover was never cleaned up");
    }
    runs
}

fn run(attempt: &dyn Attempt, kill_at: Option<usize>) -> Run {
    let list = tempfile::NamedTempFile::new_in(attempt.data().path().parent().unwrap()).unwrap();
    let mut command = attempt.command();
    command.env("CRASH_POINTS", list.path());
    if let Some(number) = kill_at {
        command.env("CRASH_AT", number.to_string());
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

fn in_hand_but_for_self_tests(data: &DataDir) -> Vec<PathBuf> {
    let mut files = data.in_hand();
    files.retain(|file| !file.starts_with(self_tests(data)));
    files
}

fn self_tests(data: &DataDir) -> PathBuf {
    data.path().join(".pipe/1/self-test")
}

/// Makes the leftovers of self-tests so old that the next run cleans them up; false: there are none.
fn grow_old(data: &DataDir) -> bool {
    let mut any = false;
    for folder in [self_tests(data), data.path().to_owned(), data.path().join("rejected")] {
        for name in names(&folder) {
            let outside = name.strip_prefix(SELF_TEST);
            if outside.is_none() && folder != self_tests(data) {
                continue;
            }
            let before = if outside.is_some() { SELF_TEST } else { "" };
            let after = if name.ends_with(".after") { ".after" } else { "" };
            move_to(&folder.join(&name), &folder.join(format!("{before}{OLD_ID}{after}")));
            any = true;
        }
    }
    any
}

#[expect(clippy::disallowed_methods, reason = "it plays the passing of time")]
fn move_to(from: &Path, to: &Path) {
    fs::rename(from, to).unwrap();
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
