//! The data folder: a given one, or a fresh one that goes when it is empty.

use std::path::Path;

use anyhow::Context as _;
use tempfile::TempDir;

/// The folder that the stages share.
pub(crate) enum Folder {
    Given(std::path::PathBuf),
    Fresh(TempDir),
}

impl Folder {
    /// Opens the folder given, or makes a fresh one and prints its path to standard error.
    pub(crate) fn open(given: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(path) = given {
            return Ok(Folder::Given(path.to_owned()));
        }
        let fresh = tempfile::Builder::new().prefix("k8s-pipe-").tempdir();
        let fresh = fresh.context("failed to make a fresh data folder; --data-dir names another")?;
        eprintln!("data folder: {}", fresh.path().display());
        Ok(Folder::Fresh(fresh))
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Folder::Given(path) => path,
            Folder::Fresh(fresh) => fresh.path(),
        }
    }

    /// Keeps a fresh folder in which something is left: a batch to carry on with, or rejected lines.
    pub(crate) fn close(self) {
        if let Folder::Fresh(fresh) = self
            && holds_files(fresh.path())
        {
            eprintln!("data folder kept, since files are left in it: {}", fresh.keep().display());
        }
    }
}

/// Whether there is anything but folders; what cannot be read counts as something.
fn holds_files(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return true };
    entries.flatten().any(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => holds_files(&entry.path()),
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_folder_is_kept_only_while_a_file_is_left_in_it() {
        // What is kept goes with this one.
        let parent = tempfile::tempdir().unwrap();
        for (file, kept) in [(None, false), (Some("rejected/listing-1.txt"), true)] {
            let folder = Folder::Fresh(TempDir::new_in(parent.path()).unwrap());
            let path = folder.path().to_owned();
            std::fs::create_dir_all(path.join("rejected")).unwrap();
            if let Some(file) = file {
                std::fs::write(path.join(file), "x").unwrap();
            }
            folder.close();
            assert_eq!(path.exists(), kept);
        }
    }
}
