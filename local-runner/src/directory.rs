//! The data directory: a given one, or a fresh one that goes when it is empty.

use std::path::Path;

use anyhow::Context as _;
use tempfile::TempDir;

/// The directory that the stages share.
pub(crate) enum Directory {
    Given(std::path::PathBuf),
    Fresh(TempDir),
}

impl Directory {
    /// Opens the directory given, or makes a fresh one and prints its path to standard error.
    pub(crate) fn open(given: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(path) = given {
            return Ok(Directory::Given(path.to_owned()));
        }
        let fresh = tempfile::Builder::new().prefix("k8s-pipe-").tempdir();
        let fresh = fresh.context("failed to make a fresh data directory; --data-dir names another")?;
        eprintln!("data directory: {}", fresh.path().display());
        Ok(Directory::Fresh(fresh))
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Directory::Given(path) => path,
            Directory::Fresh(fresh) => fresh.path(),
        }
    }

    /// Keeps a fresh directory in which something is left: a batch to carry on with, or rejected lines.
    pub(crate) fn close(self) {
        if let Directory::Fresh(fresh) = self
            && holds_files(fresh.path())
        {
            eprintln!("data directory kept, since files are left in it: {}", fresh.keep().display());
        }
    }
}

/// Whether there is anything but directories; what cannot be read counts as something.
fn holds_files(directory: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(directory) else { return true };
    entries.flatten().any(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => holds_files(&entry.path()),
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_directory_is_kept_only_while_a_file_is_left_in_it() {
        // What is kept goes with this one.
        let parent = tempfile::tempdir().unwrap();
        for (file, kept) in [(None, false), (Some("rejected/listing-1.txt"), true)] {
            let directory = Directory::Fresh(TempDir::new_in(parent.path()).unwrap());
            let path = directory.path().to_owned();
            std::fs::create_dir_all(path.join("rejected")).unwrap();
            if let Some(file) = file {
                std::fs::write(path.join(file), "x").unwrap();
            }
            directory.close();
            assert_eq!(path.exists(), kept);
        }
    }
}
