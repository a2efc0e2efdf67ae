//! Files that appear in the output directory whole or not at all.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

const PREFIX: &str = ".data-pipeline-";
const SUFFIX: &str = ".tmp";

/// A file under way, locked as long as its writer lives.
#[derive(Debug)]
pub(crate) struct Staged {
    file: NamedTempFile,
    directory: PathBuf,
}

impl Staged {
    /// Begins one; makes the directory where it is missing.
    pub(crate) fn begin(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        loop {
            let mut builder = tempfile::Builder::new();
            // What the process's umask leaves of it.
            let builder = builder.prefix(PREFIX).suffix(SUFFIX).permissions(Permissions::from_mode(0o666));
            let file = builder.tempfile_in(directory)?;
            // Another run that looks for orphans may have been faster than this lock.
            match file.as_file().try_lock() {
                Ok(()) if file.as_file().metadata()?.nlink() > 0 => {
                    return Ok(Self { file, directory: directory.to_owned() });
                }
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    pub(crate) fn file(&self) -> &File {
        self.file.as_file()
    }

    /// Publishes it under a name that nothing has yet.
    pub(crate) fn publish(self, name: &str) -> io::Result<PathBuf> {
        let path = self.directory.join(name);
        self.file.as_file().sync_all()?;
        self.file.persist_noclobber(&path)?;
        sync(&self.directory)?;
        Ok(path)
    }

    /// Publishes it in the place of what has the name.
    pub(crate) fn replace(self, name: &str) -> io::Result<PathBuf> {
        let path = self.directory.join(name);
        self.file.as_file().sync_all()?;
        self.file.persist(&path)?;
        sync(&self.directory)?;
        Ok(path)
    }
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Removes a published file, if it is there.
#[expect(clippy::disallowed_methods, reason = "the output directory is no volume")]
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// Removes what runs left here that were killed while they wrote: what no process holds the lock of.
pub(crate) fn remove_orphans(directory: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let is_staged =
            entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        if !is_staged || !entry.file_type()?.is_file() {
            continue;
        }
        let orphan = OpenOptions::new().write(true).open(entry.path());
        if orphan.is_ok_and(|file| file.try_lock().is_ok()) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn orphans_are_removed_and_files_under_way_are_not() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join(".data-pipeline-killed.tmp"), "half").unwrap();
        fs::write(place.path().join("another's.tmp"), "").unwrap();
        let staged = Staged::begin(place.path()).unwrap();
        staged.file().write_all(b"whole").unwrap();
        remove_orphans(place.path()).unwrap();
        let path = staged.publish("report.json").unwrap();
        assert_eq!(fs::read(path).unwrap(), b"whole");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_name_that_is_taken_is_not_overwritten_by_a_publication() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("report.json"), "first").unwrap();
        assert!(Staged::begin(place.path()).unwrap().publish("report.json").is_err());
        assert_eq!(fs::read(place.path().join("report.json")).unwrap(), b"first");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
