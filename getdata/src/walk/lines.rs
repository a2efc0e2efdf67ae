//! Entries' lines.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::fs::{FileType, Statx, readlinkat_raw};
use rustix::io::Errno;

use super::order::{Directories, Finished, Todo};
use super::tree::{Identity, status};
use crate::escape;
use crate::format::{Attributes, Formatter};

/// What a line has besides its directory's path, in bytes, mostly.
pub(super) const LINE: usize = 96;

/// What could be listed and what not.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Lines written.
    pub entries: u64,
    /// What could not be read: entries, what directories hold, targets of links.
    pub unreadable: u64,
    /// The first of them, and why.
    pub example: Option<String>,
}

impl Tally {
    fn unreadable(&mut self, directory: &[u8], name: &[u8], error: Errno) {
        self.unreadable += 1;
        self.example.get_or_insert_with(|| {
            let mut path = directory.to_vec();
            escape::push(&mut path, name);
            format!("`{}`: {error}", String::from_utf8_lossy(&path))
        });
    }

    pub(super) fn add(&mut self, other: Tally) {
        self.entries += other.entries;
        self.unreadable += other.unreadable;
        self.example = self.example.take().or(other.example);
    }
}

/// Writes entries' lines, and counts them.
pub(super) struct Lines<'a> {
    /// The root's path as given, escaped, with a slash at its end.
    root: &'a [u8],
    /// The directory that is left out.
    left_out: Option<Identity>,
    formatter: Formatter,
    target: Vec<u8>,
    pub tally: Tally,
}

impl<'a> Lines<'a> {
    pub(super) fn new(root: &'a [u8], left_out: Option<Identity>, formatter: Formatter) -> Self {
        Self { root, left_out, formatter, target: Vec::with_capacity(4096), tally: Tally::default() }
    }

    /// Dates are printed as seen at `now`, in seconds since 1970.
    pub(super) fn set_now(&mut self, now: i64) {
        self.formatter.set_now(now);
    }

    /// Counts a directory as one that cannot be read.
    pub(super) fn unreadable(&mut self, directory: &[u8], error: Errno) {
        self.tally.unreadable(self.root, directory, error);
    }

    /// Lists entries of a directory; what directories among them hold is left to be done.
    pub(super) fn list<'n>(
        &mut self,
        directory: &Arc<[u8]>,
        opened: &OwnedFd,
        names: impl ExactSizeIterator<Item = &'n CStr>,
    ) -> Finished {
        let prefix = self.prefix(directory);
        let mut text = Vec::with_capacity(names.len() * (prefix.len() + LINE));
        let mut directories = Vec::new();
        for name in names {
            let status = match status(opened.as_fd(), name) {
                Ok(status) => status,
                Err(error) => {
                    self.tally.unreadable(&prefix, name.to_bytes(), error);
                    continue;
                }
            };
            let attributes = attributes(&status);
            if attributes.file_type() == FileType::Directory {
                if self.left_out == Some(Identity::of(&status)) {
                    continue;
                }
                directories.extend_from_slice(name.to_bytes_with_nul());
            }
            self.push(&mut text, &attributes, &prefix, opened.as_fd(), name);
        }
        let directories = Directories::new(Arc::clone(directory), directories);
        Finished {
            text,
            then: Vec::from_iter((!directories.is_empty()).then_some(Todo::Directories(directories))),
        }
    }

    /// Appends the line of the entry `name` in the directory `opened`; `prefix` is what its path begins with.
    pub(super) fn push(
        &mut self,
        text: &mut Vec<u8>,
        attributes: &Attributes,
        prefix: &[u8],
        opened: BorrowedFd<'_>,
        name: &CStr,
    ) {
        let mut target = None;
        if attributes.file_type() == FileType::Symlink {
            match read_target(opened, name, &mut self.target) {
                Ok(()) => target = Some(&self.target[..]),
                // As ls does it: the link is listed without what it leads to.
                Err(error) => self.tally.unreadable(prefix, name.to_bytes(), error),
            }
        }
        self.formatter.push(text, attributes, prefix, name.to_bytes(), target);
        self.tally.entries += 1;
    }

    /// What stands before the names of a directory's entries.
    fn prefix(&self, directory: &[u8]) -> Vec<u8> {
        let mut prefix = self.root.to_vec();
        if !directory.is_empty() {
            escape::push(&mut prefix, directory);
            prefix.push(b'/');
        }
        prefix
    }
}

pub(super) fn attributes(status: &Statx) -> Attributes {
    Attributes {
        mode: u32::from(status.stx_mode),
        links: status.stx_nlink,
        user: status.stx_uid,
        group: status.stx_gid,
        size: status.stx_size,
        device: (status.stx_rdev_major, status.stx_rdev_minor),
        modified: status.stx_mtime.tv_sec,
    }
}

/// Reads what a link leads to. Its size is not asked: in /proc it is 0.
fn read_target(directory: BorrowedFd<'_>, name: &CStr, target: &mut Vec<u8>) -> Result<(), Errno> {
    target.clear();
    target.reserve(1);
    while readlinkat_raw(directory, name, spare_capacity(target))? == target.capacity() {
        // It may have been cut.
        target.clear();
        target.reserve(2 * target.capacity());
    }
    Ok(())
}
