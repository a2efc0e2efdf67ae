//! The file-system calls of the protocol, one function each: all that creates, writes, locks, syncs, moves or deletes.
//!
//! They stand in one place so that kills, power cuts and failing calls can be tried at each of them: what changes
//! something goes through [`step`], which in this crate's own tests is `power_cut::machine`'s.
//! Paths are always whole: a directory's descriptor would follow a takeover's rename and so undo its
//! fencing.
#![expect(clippy::disallowed_methods, reason = "this is the one place that moves and deletes")]

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Seek as _, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, FallocateFlags, RenameFlags, Statx, StatxFlags};
use rustix::io::Errno;

use crate::failpoint::failpoint;
#[cfg(test)]
use crate::power_cut::machine;

/// A call that changes something.
#[cfg_attr(not(test), expect(dead_code, reason = "what it is done to is read by tests alone"))]
#[derive(Debug, Clone, Copy)]
pub(crate) enum Call<'a> {
    Create(&'a Path),
    Write(&'a File),
    MarkComplete(&'a File),
    Reserve(&'a File),
    Sync(&'a File),
    SyncData(&'a File),
    SyncDirectory(&'a Path),
    Rename { from: &'a Path, to: &'a Path },
    Unlink(&'a Path),
    MakeDirectory(&'a Path),
    RemoveDirectory(&'a Path),
}

impl Call<'_> {
    /// What it does, as a verb: the failpoint's name.
    pub(crate) fn act(self) -> &'static str {
        match self {
            Call::Create(_) => "create",
            Call::Write(_) => "write",
            Call::MarkComplete(_) => "mark complete",
            Call::Reserve(_) => "reserve",
            Call::Sync(_) | Call::SyncData(_) => "sync",
            Call::SyncDirectory(_) => "sync directory",
            Call::Rename { .. } => "rename",
            Call::Unlink(_) => "unlink",
            Call::MakeDirectory(_) => "make directory",
            Call::RemoveDirectory(_) => "remove directory",
        }
    }
}

/// Makes a call; the place that asked for it is a failpoint.
#[track_caller]
fn step<T: 'static>(call: Call<'_>, make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    failpoint(call.act());
    #[cfg(test)]
    return machine::step(call, make);
    #[cfg(not(test))]
    make()
}

/// A file that nobody has created before, open for writing.
#[derive(Debug)]
pub(crate) struct NewFile(File);

impl NewFile {
    /// Creates it.
    #[track_caller]
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        step(Call::Create(path), || {
            Ok(NewFile(OpenOptions::new().read(true).write(true).create_new(true).open(path)?))
        })
    }

    /// Makes sure that there is room for these bytes, which are behind all that was written: on some file systems they
    /// are zero then.
    #[track_caller]
    pub(crate) fn reserve(&self, bytes: Range<u64>) -> io::Result<()> {
        step(Call::Reserve(&self.0), || {
            for how in [FallocateFlags::KEEP_SIZE, FallocateFlags::empty()] {
                match rustix::fs::fallocate(&self.0, how, bytes.start, bytes.end - bytes.start) {
                    Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
                    done => return Ok(done?),
                }
            }
            fill_with_zeros(&self.0, bytes)
        })
    }

    /// Makes its content and size durable, and its mode.
    #[track_caller]
    pub(crate) fn sync(&self) -> io::Result<()> {
        step(Call::Sync(&self.0), || self.0.sync_all())
    }

    /// Makes its content and size durable.
    #[track_caller]
    pub(crate) fn sync_data(&self) -> io::Result<()> {
        step(Call::SyncData(&self.0), || self.0.sync_data())
    }

    /// Takes everyone's right to write from it, and gives it a time that tells that it is complete: see
    /// [`is_marked_complete`]. Open descriptors keep their right.
    #[track_caller]
    pub(crate) fn mark_complete(&self) -> io::Result<()> {
        let metadata = self.0.metadata()?;
        let time = UNIX_EPOCH + Duration::new(u64::try_from(metadata.mtime()).unwrap_or(0), COMPLETE);
        step(Call::MarkComplete(&self.0), || {
            // Both times: bindfs sets neither else. Where it fails, the file has to stand still for the next stage.
            let _ = self.0.set_times(fs::FileTimes::new().set_accessed(time).set_modified(time));
            let read_only = fs::Permissions::from_mode(metadata.permissions().mode() & 0o555);
            #[cfg(test)]
            if let Some(error) = CHANGE_MODE_FAILS.get() {
                return unless_unsupported(Err(error.into()));
            }
            unless_unsupported(self.0.set_permissions(read_only))
        })
    }

    /// How much was written to it.
    pub(crate) fn written(&self) -> io::Result<u64> {
        (&self.0).stream_position()
    }

    /// The open file, for what is noted of it.
    pub(crate) fn as_file(&self) -> &File {
        &self.0
    }

    /// The open file, for what only looks at it or locks it.
    pub(crate) fn into_file(self) -> File {
        self.0
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        step(Call::Write(&self.0), || (&self.0).write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Some file systems know no modes: their files are as complete without.
fn unless_unsupported(done: io::Result<()>) -> io::Result<()> {
    done.or_else(|error| {
        let is_fine = is_unsupported(&error) || error.kind() == ErrorKind::PermissionDenied;
        if is_fine { Ok(()) } else { Err(error) }
    })
}

/// Where no room can be reserved it is used, which only a sync proves.
fn fill_with_zeros(file: &File, bytes: Range<u64>) -> io::Result<()> {
    let zeros = [0; 4096];
    for at in bytes.clone().step_by(zeros.len()) {
        let length = zeros.len().min(usize::try_from(bytes.end - at).unwrap_or(usize::MAX));
        file.write_all_at(&zeros[..length], at)?;
    }
    file.sync_data()
}

/// The nanoseconds in the time of what we publish. Any write gives a file another time, and whoever copies one gives the
/// copy its time when all is written, so that it tells a complete file where no lease does. Whole microseconds: some
/// file systems keep no less.
const COMPLETE: u32 = 271_828_000;

/// Returns whether this is a finished file of ours, or a finished copy of one.
pub(crate) fn is_marked_complete(metadata: &Metadata) -> bool {
    metadata.mode() & 0o222 == 0 && metadata.mtime_nsec() == i64::from(COMPLETE)
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
    let locked = match file.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(error)) => return Err(error),
    };
    #[cfg(test)]
    let locked = machine::has_lock(file, locked);
    Ok(locked)
}

/// Makes the names in a directory durable.
#[track_caller]
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    step(Call::SyncDirectory(path), || File::open(path)?.sync_all())
}

/// Renames, replacing what has the name. A failure may have happened all the same: see `publish::rename`.
#[track_caller]
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    step(Call::Rename { from, to }, || fs::rename(from, to))
}

/// Renames, or fails with [`ErrorKind::AlreadyExists`] where the name is taken; see [`is_unsupported`], too.
#[track_caller]
pub(crate) fn rename_no_replace(from: &Path, to: &Path) -> io::Result<()> {
    step(Call::Rename { from, to }, || {
        #[cfg(test)]
        if let Some(error) = NO_REPLACE_FAILS.get() {
            return Err(error.into());
        }
        Ok(rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
    })
}

/// Returns whether the file system said that it cannot do this at all. Some cannot rename without replacing, and say so
/// only where the name is free.
pub(crate) fn is_unsupported(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP))
}

#[cfg(test)]
thread_local! {
    /// What each rename without replacing of this thread fails with.
    pub(crate) static NO_REPLACE_FAILS: std::cell::Cell<Option<Errno>> = const { std::cell::Cell::new(None) };
    /// What each change of a mode fails with.
    pub(crate) static CHANGE_MODE_FAILS: std::cell::Cell<Option<Errno>> = const { std::cell::Cell::new(None) };
}

/// Deletes a file's name.
#[track_caller]
pub(crate) fn unlink(path: &Path) -> io::Result<()> {
    step(Call::Unlink(path), || fs::remove_file(path))
}

/// Makes a directory; one that stands already is an error.
#[track_caller]
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    step(Call::MakeDirectory(path), || fs::create_dir(path))
}

/// Removes an empty directory.
#[track_caller]
pub(crate) fn remove_directory(path: &Path) -> io::Result<()> {
    step(Call::RemoveDirectory(path), || fs::remove_dir(path))
}

/// Returns the names in a directory, in no order.
pub(crate) fn names(path: &Path) -> io::Result<Vec<OsString>> {
    let names: Vec<_> = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
    #[cfg(test)]
    ENTRIES_READ.set(ENTRIES_READ.get() + names.len());
    Ok(names)
}

#[cfg(test)]
thread_local! {
    /// How many names this thread has read.
    pub(crate) static ENTRIES_READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// What is known of a file system by its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileSystem {
    /// All that changes a directory goes through this machine's kernel. Any other may be shared with machines whose
    /// writers and events this kernel does not see.
    pub(crate) is_local: bool,
    /// A rename is one unit across a power cut, once either of its directories was synced. Btrfs logs the directory that
    /// is synced: where that is the one entered, and a transaction was committed since the file was written, the log has
    /// the new name, and nothing of the old one. Only a sync of the directory left has it commit all.
    pub(crate) renames_as_one: bool,
}

impl FileSystem {
    /// The one that a directory is on.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let (is_local, renames_as_one) = match rustix::fs::statfs(path).map(|known| known.f_type) {
            // ext2 and ext3 have the same.
            Ok(libc::EXT4_SUPER_MAGIC | libc::XFS_SUPER_MAGIC | libc::TMPFS_MAGIC) => (true, true),
            // What lies below an overlay may be any.
            Ok(libc::BTRFS_SUPER_MAGIC | libc::F2FS_SUPER_MAGIC | libc::OVERLAYFS_SUPER_MAGIC) => {
                (true, false)
            }
            Ok(_) => (false, false),
            Err(error) if is_unsupported(&error.into()) => (false, false),
            Err(error) => return Err(error.into()),
        };
        Ok(FileSystem { is_local, renames_as_one })
    }
}

/// How much of a file system anyone may still fill.
pub(crate) fn free_bytes(path: &Path) -> io::Result<u64> {
    let known = rustix::fs::statvfs(path)?;
    Ok(known.f_bavail.saturating_mul(known.f_frsize))
}

/// Looks at a path without following a symbolic link; `None` where nothing has the name.
pub(crate) fn look(path: &Path) -> io::Result<Option<Metadata>> {
    #[cfg(test)]
    if HIDDEN.get().is_some_and(|hidden| path.ends_with(hidden)) {
        return Ok(None);
    }
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Asks a file's server for what is true of it now; `None` where that cannot be asked.
pub(crate) fn ask(file: &File) -> io::Result<Option<Statx>> {
    let (flags, wanted) = (AtFlags::EMPTY_PATH | AtFlags::STATX_FORCE_SYNC, StatxFlags::BASIC_STATS);
    match rustix::fs::statx(file, "", flags, wanted) {
        Ok(now) => Ok(Some(now)),
        // Old kernels do not have it, and old sandboxes forbid what they do not know.
        Err(Errno::NOSYS | Errno::INVAL | Errno::OPNOTSUPP | Errno::PERM) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Returns whether an open file is still the one that has the name.
pub(crate) fn is_named(file: &File, path: &Path) -> bool {
    match (file.metadata(), look(path)) {
        (Ok(open), Ok(Some(named))) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

#[cfg(test)]
thread_local! {
    /// What this thread does not see where it looks, as on a network file system that remembers wrongly.
    pub(crate) static HIDDEN: std::cell::Cell<Option<&'static str>> = const { std::cell::Cell::new(None) };
}
