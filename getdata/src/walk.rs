//! The walk: every entry below a directory, by several threads, in one order.
//!
//! **Order.** The root; then a directory's entries, sorted byte by byte, and after them, directory by directory, what they hold.
//! A large directory comes in pieces of 512 entries (fewer where paths are very long): a piece, what its directories hold, the
//! next piece. One of more than 65,536 entries is sorted in runs of about so many, as the file system hands them out.
//! Nothing depends on the threads' luck.
//!
//! **Memory.** A run of names for each thread, what threads may run ahead of the listing (`order.rs`), and for each
//! directory on the way down the names that are still to be listed: bounded for directories of any size and trees of any
//! number of directories. It grows with depth alone, as the paths do.
//!
//! - `crew.rs`: the threads together; `order.rs`: what is left to do, and which text is due
//! - `lister.rs`: one thread's part; `tree.rs`: opening directories; `names.rs`: reading them; `lines.rs`: their lines

mod crew;
mod lines;
mod lister;
mod names;
mod order;
mod tree;

use std::ffi::CString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::thread;

use rustix::fs::{CWD, FileType};

use crate::escape;
use crate::format::Formatter;
use crate::names::Owners;
use crew::Crew;
use lines::Lines;
use lister::Lister;
use tree::Tree;

pub(crate) use lines::Tally;
pub(crate) use tree::Identity;

/// What is to be walked.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    pub root: &'a Path,
    /// A directory that is left out, with all that it holds.
    pub left_out: Option<Identity>,
    pub threads: usize,
    /// Set by whoever wants the walk to end early.
    pub stop: &'a AtomicBool,
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

impl Walk<'_> {
    /// Writes every entry's line, in large blocks.
    ///
    /// # Errors
    /// The root cannot be read, the output cannot be written, or the walk was stopped. What cannot be read below the
    /// root is counted instead.
    pub(crate) fn list(&self, output: &mut (dyn Write + Send)) -> Result<Tally, Error> {
        let root = self.root.as_os_str().as_bytes();
        let name = CString::new(root).map_err(|error| self.root_error(error.into()))?;
        let status = tree::status(CWD, &name).map_err(|errno| self.root_error(errno.into()))?;
        let attributes = lines::attributes(&status);
        let prefix = prefix(root);
        let mut lines = self.lines(&prefix);
        let mut text = Vec::new();
        lines.push(&mut text, &attributes, b"", CWD, &name);
        let tally = std::mem::take(&mut lines.tally);
        if attributes.file_type() != FileType::Directory {
            return output.write_all(&text).map(|()| tally).map_err(Error::Write);
        }

        let tree = Tree::open(self.root).map_err(|errno| self.root_error(errno.into()))?;
        // Where the directories above cannot be looked at, the data directory is none of them that anyone could tell.
        if self.left_out.is_some_and(|left_out| tree.lies_in(left_out).unwrap_or(false)) {
            return Err(Error::LeftOut { path: self.root.to_owned() });
        }
        let crew = Crew::new(text, tally, self.stop, output);
        thread::scope(|scope| {
            for _ in 1..self.threads {
                let worker = || crew.work(Lister::new(&tree, self.lines(&prefix)));
                if let Err(error) = thread::Builder::new().name("walk".to_owned()).spawn_scoped(scope, worker)
                {
                    tracing::debug!("the walk has one thread less: {error}");
                }
            }
            crew.work(Lister::new(&tree, lines));
        });
        crew.end()
    }

    fn lines<'p>(&self, prefix: &'p [u8]) -> Lines<'p> {
        let mut formatter = Formatter::new(Owners::of_this_system());
        formatter.set_now(lister::now());
        Lines::new(prefix, self.left_out, formatter)
    }

    fn root_error(&self, source: io::Error) -> Error {
        Error::Root { path: self.root.to_owned(), source }
    }
}

/// What stands before the names of the root's entries: its path as given, escaped, with a slash at its end.
fn prefix(root: &[u8]) -> Vec<u8> {
    let mut prefix = Vec::new();
    escape::push(&mut prefix, root);
    if !prefix.ends_with(b"/") {
        prefix.push(b'/');
    }
    prefix
}

#[cfg(test)]
mod tests;
