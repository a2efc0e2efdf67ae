//! The run directory below `--temp-dir`: one run's lock, what its stages hand on, and its clean-up.

#![expect(
    clippy::disallowed_methods,
    reason = "the run directory is no volume: what lies in it is the run's own"
)]

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use crate::config::Stage;
use crate::extract::Extracted;
use crate::summary::{ColumnSummary, Groups, SourceSummary, StageTime};
use crate::transform::Transformed;

const LOCK: &str = "lock";
const STATE: &str = "state.json";

/// What the stage that ran last has left.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct State {
    /// How long the stages took so far.
    pub(crate) stages: Vec<StageTime>,
    pub(crate) left: Left,
}

/// What the next stage needs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Left {
    Extracted(Vec<Extracted>),
    Transformed(Vec<Transformed>),
    Aggregated(Aggregated),
}

/// What the report says but for its times.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Aggregated {
    pub(crate) sources: Vec<SourceSummary>,
    pub(crate) columns: Vec<ColumnSummary>,
    pub(crate) groups: Option<Groups>,
    /// The tables, which nobody needs any more.
    pub(crate) files: Vec<String>,
}

impl Left {
    /// The stage that left it.
    pub(crate) fn by(&self) -> Stage {
        match self {
            Self::Extracted(_) => Stage::Extract,
            Self::Transformed(_) => Stage::Transform,
            Self::Aggregated(_) => Stage::Aggregate,
        }
    }

    fn files(&self) -> HashSet<&str> {
        match self {
            Self::Extracted(sources) => sources.iter().flat_map(Extracted::files).collect(),
            Self::Transformed(sources) => sources.iter().map(|source| source.file.as_str()).collect(),
            Self::Aggregated(aggregated) => aggregated.files.iter().map(String::as_str).collect(),
        }
    }
}

/// The run directory, whose lock this process holds.
#[derive(Debug)]
pub(crate) struct RunDirectory {
    path: PathBuf,
    /// The kernel frees it when the process ends, however it ends.
    _lock: File,
}

impl RunDirectory {
    /// Makes and locks it.
    ///
    /// # Errors
    /// Another run holds it, or the directory cannot be used.
    pub(crate) fn open(temp_dir: &Path) -> anyhow::Result<Self> {
        let path = temp_dir.join("data-pipeline");
        loop {
            fs::create_dir_all(&path).with_context(|| format!("failed to make {}", path.display()))?;
            let lock = path.join(LOCK);
            let failed = || format!("failed to lock {}", lock.display());
            let file = match OpenOptions::new().create(true).truncate(false).write(true).open(&lock) {
                // A run that ended just now has removed the directory.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                file => file.with_context(failed)?,
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => bail!("another run is at work: it holds {}", lock.display()),
                Err(TryLockError::Error(error)) => return Err(error).with_context(failed),
            }
            // Removed by the run before, between opening and locking: it excludes nobody.
            if file.metadata().with_context(failed)?.nlink() > 0 {
                return Ok(Self { path, _lock: file });
            }
        }
    }

    /// Where a file of this name lies.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where DataFusion spills to.
    pub(crate) fn spill(&self) -> PathBuf {
        self.file("spill")
    }

    /// What the stages before have left.
    pub(crate) fn state(&self) -> anyhow::Result<Option<State>> {
        let path = self.file(STATE);
        let failed = || format!("failed to read {}", path.display());
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            bytes => bytes.with_context(failed)?,
        };
        serde_json::from_slice(&bytes).map(Some).with_context(failed)
    }

    /// Hands on to the next stage: from here on, what this stage started from is not needed, and removed.
    pub(crate) fn hand_on(&self, state: &State) -> anyhow::Result<()> {
        let path = self.file(STATE);
        let failed = || format!("failed to write {}", path.display());
        let mut file = tempfile::NamedTempFile::new_in(&self.path).with_context(failed)?;
        file.write_all(&serde_json::to_vec(state)?).with_context(failed)?;
        file.persist(&path).with_context(failed)?;
        self.keep(Some(state))?;
        Ok(())
    }

    /// Removes a file that the stage itself needs no more.
    pub(crate) fn forget(&self, name: &str) -> anyhow::Result<()> {
        let path = self.file(name);
        fs::remove_file(&path).with_context(|| format!("failed to remove {}", path.display()))
    }

    /// Says that nothing is left to be done.
    pub(crate) fn finish(&self) -> anyhow::Result<()> {
        self.forget(STATE)
    }

    /// Removes what `state` does not name, and says how many files that were: what stages left that were cut off.
    pub(crate) fn keep(&self, state: Option<&State>) -> anyhow::Result<u64> {
        let mut kept = state.map(|state| state.left.files()).unwrap_or_default();
        kept.extend(state.map(|_| STATE));
        kept.insert(LOCK);
        remove_entries(&self.path, &kept)
            .with_context(|| format!("failed to clean up {}", self.path.display()))
    }

    /// Removes it with all that is in it, and says how many files that were besides the lock.
    pub(crate) fn remove(&self) -> anyhow::Result<u64> {
        let removed = self.keep(None)?;
        let gone = fs::remove_file(self.file(LOCK)).and_then(|()| match fs::remove_dir(&self.path) {
            // The next run is there already.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
            outcome => outcome,
        });
        gone.with_context(|| format!("failed to remove {}", self.path.display()))?;
        Ok(removed)
    }
}

/// Removes what lies in a directory, where threads that were told to stop may still remove files of their own.
fn remove_entries(directory: &Path, kept: &HashSet<&str>) -> io::Result<u64> {
    let mut removed = 0;
    let Some(entries) = unless_gone(fs::read_dir(directory))? else { return Ok(0) };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| kept.contains(name)) {
            continue;
        }
        let Some(file_type) = unless_gone(entry.file_type())? else { continue };
        if file_type.is_dir() {
            removed += remove_entries(&entry.path(), &HashSet::new())?;
            unless_gone(fs::remove_dir(entry.path()))?;
        } else if unless_gone(fs::remove_file(entry.path()))?.is_some() {
            removed += 1;
        }
    }
    Ok(removed)
}

fn unless_gone<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        outcome => outcome.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_is_refused_until_the_first_has_ended() {
        let place = tempfile::tempdir().unwrap();
        let first = RunDirectory::open(place.path()).unwrap();
        let error = RunDirectory::open(place.path()).unwrap_err();
        assert!(error.to_string().starts_with("another run is at work"), "{error:#}");
        drop(first);
        RunDirectory::open(place.path()).unwrap();
    }

    #[test]
    fn nothing_is_left_of_a_run_that_was_removed() {
        let place = tempfile::tempdir().unwrap();
        let run = RunDirectory::open(place.path()).unwrap();
        fs::write(run.file("source-1.csv"), "x").unwrap();
        fs::create_dir_all(run.spill().join("below")).unwrap();
        fs::write(run.spill().join("below/file"), "x").unwrap();
        assert_eq!(run.remove().unwrap(), 2);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[test]
    fn files_that_another_thread_removes_meanwhile_fail_no_clean_up() {
        let place = tempfile::tempdir().unwrap();
        let files = 2000;
        for number in 0..files {
            fs::write(place.path().join(number.to_string()), "").unwrap();
        }
        let start = std::sync::Barrier::new(2);
        let remove = || {
            start.wait();
            remove_entries(place.path(), &HashSet::new()).unwrap()
        };
        let removed = std::thread::scope(|scope| {
            let other = scope.spawn(remove);
            remove() + other.join().unwrap()
        });
        assert_eq!(removed, files);
    }

    #[test]
    fn a_lock_that_was_removed_while_it_was_waited_for_excludes_nobody_and_is_not_taken() {
        let place = tempfile::tempdir().unwrap();
        let first = RunDirectory::open(place.path()).unwrap();
        first.remove().unwrap();
        // The first still holds the lock of a file that is gone.
        let second = RunDirectory::open(place.path()).unwrap();
        assert!(RunDirectory::open(place.path()).is_err());
        drop((first, second));
    }

    #[test]
    fn what_the_state_does_not_name_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let run = RunDirectory::open(place.path()).unwrap();
        for name in ["source-1.parquet", "source-1.csv", "half"] {
            fs::write(run.file(name), "x").unwrap();
        }
        let files = vec!["source-1.parquet".to_owned()];
        let aggregated = Aggregated { sources: Vec::new(), columns: Vec::new(), groups: None, files };
        run.hand_on(&State { stages: Vec::new(), left: Left::Aggregated(aggregated) }).unwrap();
        assert!(run.file("source-1.parquet").exists());
        assert!(!run.file("source-1.csv").exists() && !run.file("half").exists());
        assert_eq!(run.state().unwrap().unwrap().left.by(), Stage::Aggregate);
    }
}
