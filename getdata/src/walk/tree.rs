//! The root, and how the directories below it are opened.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, Statx, StatxFlags, openat, openat2, statx};
use rustix::io::Errno;

/// The kernel takes paths of one byte less.
const PATH_MAX: usize = 4096;

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Which file it is, whatever its paths are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    device: (u32, u32),
    inode: u64,
}

impl Identity {
    /// Of the directory itself, not of a link to it.
    pub(super) fn of(status: &Statx) -> Self {
        Self { device: (status.stx_dev_major, status.stx_dev_minor), inode: status.stx_ino }
    }

    /// Of what the path leads to, through links.
    pub(crate) fn of_path(path: &Path) -> rustix::io::Result<Self> {
        Ok(Self::of(&statx(CWD, path, AtFlags::empty(), StatxFlags::INO)?))
    }
}

/// What is known of an entry, links not followed, without mounting what is mounted on demand.
pub(super) fn status(directory: BorrowedFd<'_>, name: impl rustix::path::Arg) -> rustix::io::Result<Statx> {
    let wanted = StatxFlags::TYPE
        | StatxFlags::MODE
        | StatxFlags::NLINK
        | StatxFlags::UID
        | StatxFlags::GID
        | StatxFlags::MTIME
        | StatxFlags::INO
        | StatxFlags::SIZE;
    statx(directory, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, wanted)
}

/// A directory that is walked. Everything below it is opened by its path from here, so that no more files are open than
/// threads at work, however deep it goes (but for directories larger than a run, which stay open until they are read).
#[derive(Debug)]
pub(super) struct Tree {
    root: OwnedFd,
    /// Cleared where the kernel, or what filters its calls, does not know `openat2`.
    has_openat2: AtomicBool,
}

impl Tree {
    pub(super) fn open(root: &Path) -> rustix::io::Result<Self> {
        let root = openat(CWD, root, DIRECTORY | OFlags::RDONLY, Mode::empty())?;
        Ok(Self { root, has_openat2: AtomicBool::new(true) })
    }

    #[cfg(test)]
    pub(super) fn without_openat2(self) -> Self {
        Self { has_openat2: AtomicBool::new(false), ..self }
    }

    /// Whether the root is that directory or lies in it.
    pub(super) fn lies_in(&self, directory: Identity) -> rustix::io::Result<bool> {
        let mut below: Option<Identity> = None;
        let mut at =
            self.root.try_clone().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        loop {
            let here = Identity::of(&status(at.as_fd(), c".")?);
            if here == directory {
                return Ok(true);
            }
            if below == Some(here) {
                return Ok(false);
            }
            below = Some(here);
            at = openat(&at, c"..", DIRECTORY | OFlags::PATH, Mode::empty())?;
        }
    }

    /// Opens a directory by its path from the root (empty: the root itself), for reading. No part of the path may be a
    /// link, even one that was a directory just before.
    pub(super) fn directory(&self, path: &[u8]) -> rustix::io::Result<OwnedFd> {
        let mut base: Option<OwnedFd> = None;
        let mut rest = path;
        while let Some(cut) = cut(rest) {
            base = Some(self.step(base.as_ref(), &rest[..cut], OFlags::PATH)?);
            rest = &rest[cut + 1..];
        }
        self.step(base.as_ref(), rest, OFlags::RDONLY)
    }

    fn step(&self, base: Option<&OwnedFd>, path: &[u8], access: OFlags) -> rustix::io::Result<OwnedFd> {
        let base = base.unwrap_or(&self.root);
        let path = if path.is_empty() { b"." } else { path };
        if self.has_openat2.load(Ordering::Relaxed) {
            match openat2(base, path, DIRECTORY | access, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
                // PERM is what a container's filter of system calls says; whoever else says it says it again below.
                Err(Errno::NOSYS | Errno::PERM) => self.has_openat2.store(false, Ordering::Relaxed),
                done => return done,
            }
        }
        name_by_name(base, path, DIRECTORY | access)
    }
}

/// Where to cut a path that is too long for the kernel; none where it is short enough.
fn cut(path: &[u8]) -> Option<usize> {
    let longest = path.get(..PATH_MAX)?;
    longest.iter().rposition(|&byte| byte == b'/')
}

fn name_by_name(base: &OwnedFd, path: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let mut names = path.split(|&byte| byte == b'/').peekable();
    let mut at: Option<OwnedFd> = None;
    while let Some(name) = names.next() {
        let flags = if names.peek().is_some() { DIRECTORY | OFlags::PATH } else { flags };
        at = Some(openat(at.as_ref().unwrap_or(base), name, flags, Mode::empty())?);
    }
    at.ok_or(Errno::NOENT)
}
