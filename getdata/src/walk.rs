//! The walk: every entry below a directory, as the file system hands them out.
//!
//! Links are never followed. What cannot be read, or is gone before it is looked at, is counted. Memory does not grow with
//! a directory's size.

use std::fs::{self, Metadata};
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use walkdir::{DirEntry, WalkDir};

use crate::escape;
use crate::format::{self, Attributes};
use crate::owners::Owners;

/// Text is written in blocks of that size, in bytes: far beyond what a write costs by itself.
const BLOCK: usize = 256 << 10;

/// So many directories are open at a time, one on each level. Where a tree is deeper, what is left of the topmost is read
/// into memory.
const MAX_OPEN: usize = 256;

/// What is to be walked.
pub(crate) struct Walk<'a> {
    pub root: &'a Path,
    /// A directory that is left out, with all that it holds.
    pub left_out: Identity,
    /// Whether the walk is to end early.
    pub is_to_stop: &'a dyn Fn() -> bool,
}

/// Why there is no listing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("failed to read `{path}` (--root)")]
    Root {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{path}` (--root) lies in the data directory (--data-dir), which is never listed")]
    LeftOut { path: PathBuf },
    #[error(transparent)]
    Write(io::Error),
    #[error("the walk was stopped")]
    Stopped,
}

/// What could be listed and what not.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    /// Lines written.
    pub entries: u64,
    /// What could not be read: entries, what directories hold, targets of links.
    pub unreadable: u64,
    /// The first of them, and why.
    pub example: Option<String>,
}

impl Walk<'_> {
    /// Writes every entry's line, in large blocks.
    ///
    /// # Errors
    /// The root cannot be read, the output cannot be written, or the walk was stopped. What cannot be read below the
    /// root is counted instead.
    pub(crate) fn list(&self, output: &mut dyn Write) -> Result<Statistics, Error> {
        if self.root_is_left_out() {
            return Err(Error::LeftOut { path: self.root.to_owned() });
        }
        let mut writer = EntryWriter::new(output);
        let mut walk = WalkDir::new(self.root).follow_root_links(false).max_open(MAX_OPEN).into_iter();
        while let Some(found) = walk.next() {
            if (self.is_to_stop)() {
                return Err(Error::Stopped);
            }
            let entry = match found {
                Ok(entry) => entry,
                Err(error) => {
                    self.count(error, &mut writer.statistics)?;
                    continue;
                }
            };
            match entry.metadata() {
                Ok(metadata) if self.is_left_out(&entry, &metadata) => walk.skip_current_dir(),
                Ok(metadata) => writer.push(entry.path(), &metadata).map_err(Error::Write)?,
                Err(error) => {
                    self.count(error, &mut writer.statistics)?;
                    // Else it would be counted again.
                    if entry.file_type().is_dir() {
                        walk.skip_current_dir();
                    }
                }
            }
        }
        writer.output.flush().map_err(Error::Write)?;
        Ok(writer.statistics)
    }

    /// Counts what cannot be read. An error for the root itself.
    fn count(&self, error: walkdir::Error, statistics: &mut Statistics) -> Result<(), Error> {
        let (depth, path) = (error.depth(), error.path().unwrap_or(self.root).to_owned());
        // Only links that are followed give errors of another kind.
        let source = error.into_io_error().unwrap_or_else(|| io::Error::other("it cannot be read"));
        if depth == 0 {
            return Err(Error::Root { path: self.root.to_owned(), source });
        }
        statistics.unreadable(&path, &source);
        Ok(())
    }

    /// Whether the root is the directory that is left out, or a directory in it. Where the directories above cannot be
    /// looked at, that is none of them that anyone could tell.
    fn root_is_left_out(&self) -> bool {
        let is_directory = fs::symlink_metadata(self.root).is_ok_and(|metadata| metadata.is_dir());
        is_directory
            && self.root.canonicalize().is_ok_and(|root| {
                root.ancestors()
                    .any(|above| Identity::of_path(above).is_ok_and(|above| above == self.left_out))
            })
    }

    fn is_left_out(&self, entry: &DirEntry, metadata: &Metadata) -> bool {
        entry.file_type().is_dir() && Identity::of(metadata) == self.left_out
    }
}

/// Where the entries' lines go, and what is known of them.
struct EntryWriter<'a> {
    output: BufWriter<&'a mut dyn Write>,
    owners: Owners,
    /// The line that is written.
    line: Vec<u8>,
    statistics: Statistics,
}

impl<'a> EntryWriter<'a> {
    fn new(output: &'a mut dyn Write) -> Self {
        Self {
            output: BufWriter::with_capacity(BLOCK, output),
            owners: Owners::of_this_system(),
            line: Vec::new(),
            statistics: Statistics::default(),
        }
    }

    fn push(&mut self, path: &Path, metadata: &Metadata) -> io::Result<()> {
        let mut target = None;
        if metadata.is_symlink() {
            match fs::read_link(path) {
                Ok(path) => target = Some(path),
                // As ls does it: the link is listed without what it leads to.
                Err(error) => self.statistics.unreadable(path, &error),
            }
        }
        self.line.clear();
        let attributes = Attributes::of(metadata);
        format::push(&mut self.line, &attributes, &mut self.owners, now(), path, target.as_deref());
        self.statistics.entries += 1;
        self.output.write_all(&self.line)
    }
}

/// In seconds since 1970.
fn now() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since_1970.as_secs().try_into().unwrap_or(i64::MAX)
}

impl Statistics {
    fn unreadable(&mut self, path: &Path, error: &io::Error) {
        self.unreadable += 1;
        self.example.get_or_insert_with(|| {
            let mut escaped = Vec::new();
            escape::push(&mut escaped, path.as_os_str().as_bytes());
            format!("`{}`: {error}", String::from_utf8_lossy(&escaped))
        });
    }
}

/// Which file it is, whatever its paths are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// Of what the path leads to, through links.
    pub(crate) fn of_path(path: &Path) -> io::Result<Self> {
        Ok(Self::of(&fs::metadata(path)?))
    }
}

#[cfg(test)]
mod tests;
