//! The file-system calls of the protocol: all that creates, locks, syncs, moves or deletes, one function each.
//!
//! They stand in one place so that power cuts and failing calls can be simulated behind them.
//! Paths are always whole: a folder's descriptor would follow a takeover's rename and so undo its
//! fencing.
#![expect(clippy::disallowed_methods, reason = "this is the one place that moves and deletes")]

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{CWD, RenameFlags};

/// Creates a file that nobody has created before, open for writing.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).open(path)
}

/// Opens a file for reading, whatever it turns out to be: a FIFO does not block, a symbolic link fails.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Opens a lock file. For writing, though nothing is written: NFS refuses an exclusive lock else.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    OpenOptions::new().read(true).write(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Locks an open file; `false` where someone else holds the lock. The kernel frees it with the last descriptor.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Makes a file's content and size durable, and its mode.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    file.sync_all()
}

/// Makes a file's content and size durable.
pub(crate) fn sync_data(file: &File) -> io::Result<()> {
    file.sync_data()
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Takes everyone's right to write from a file; its open descriptors keep theirs.
pub(crate) fn make_read_only(file: &File) -> io::Result<()> {
    let mode = file.metadata()?.permissions().mode();
    file.set_permissions(fs::Permissions::from_mode(mode & 0o555))
}

/// Renames, replacing what has the name. A failure may have happened all the same: see `publish::rename`.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Renames, or fails with [`ErrorKind::AlreadyExists`] where the name is taken.
pub(crate) fn rename_no_replace(from: &Path, to: &Path) -> io::Result<()> {
    Ok(rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

/// Deletes a file's name.
pub(crate) fn unlink(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// Makes a folder; one that stands already is an error.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

/// Removes an empty folder.
pub(crate) fn remove_folder(path: &Path) -> io::Result<()> {
    fs::remove_dir(path)
}

/// Returns the names in a folder, in no order.
pub(crate) fn names(path: &Path) -> io::Result<Vec<OsString>> {
    fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect()
}

/// Looks at a path without following a symbolic link; `None` where nothing has the name.
pub(crate) fn look(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
