//! What the kernel tells of names that come and go, so that few looks at the data directory have to read it.
//!
//! Events are told in the order of what happened, and what is lost of them is told too. So the names that were read once
//! are those in the directory as long as each event is applied to them, but only where all that changes the directory goes
//! through this kernel: elsewhere events do no more than wake whoever waits, and each look reads the directory.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use tracing::{info, warn};

use crate::Spec;
use crate::fs;
use crate::names::PublicName;

type Names = BTreeSet<PublicName>;

/// The data directory under watch, for one stage.
#[derive(Debug)]
pub(crate) struct Watch {
    spec: Spec,
    inotify: OwnedFd,
    known: Mutex<Known>,
}

/// What is known of the directory.
#[derive(Debug)]
struct Known {
    tells: Tells,
    /// The names that the stage takes, and those that it publishes, by extension; `None`: the directory must be read.
    names: Option<Vec<(&'static str, Names)>>,
    /// Files for the stage that came, or were closed by a writer, since somebody asked.
    news: Names,
    /// Events were lost: files may have come.
    has_lost: bool,
    told_lost: bool,
}

/// How much the events tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tells {
    All,
    /// Others may change the directory without this kernel's knowledge.
    Some,
    /// The watch has ended.
    Nothing,
}

impl Watch {
    pub(crate) fn start(root: &Path, spec: Spec) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let flags = WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR
            // A file that is deleted while it is written has no name to tell of when it is closed.
            | WatchFlags::EXCL_UNLINK;
        inotify::add_watch(&inotify, root, flags)?;
        let known = Known {
            tells: if fs::is_local(root)? { Tells::All } else { Tells::Some },
            names: None,
            news: Names::new(),
            has_lost: false,
            told_lost: false,
        };
        Ok(Watch { spec, inotify, known: Mutex::new(known) })
    }

    /// Becomes readable when there are events; `None`: none will come any more.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        (self.lock().tells != Tells::Nothing).then(|| self.inotify.as_fd())
    }

    /// Shows the names of an extension, reading the directory only where they are not known; `None` where they never are.
    pub(crate) fn with_names<T>(
        &self,
        root: &Path,
        extension: &str,
        show: impl FnOnce(&Names) -> T,
    ) -> Option<io::Result<T>> {
        let mut known = self.catch_up();
        if known.tells != Tells::All {
            return None;
        }
        if known.names.is_none() {
            match self.read(root) {
                Ok(names) => known.names = Some(names),
                Err(error) => return Some(Err(error)),
            }
        }
        let mut kinds = known.names.iter().flatten();
        let (_, names) = kinds.find(|(known, _)| *known == extension)?;
        Some(Ok(show(names)))
    }

    /// What was read ends in what is there once the events that wait are applied, whenever those came.
    fn read(&self, root: &Path) -> io::Result<Vec<(&'static str, Names)>> {
        let found = fs::names(root)?;
        let extensions = [self.spec.input, self.spec.output].into_iter().flatten();
        Ok(extensions.map(|extension| (extension, PublicName::all(&found, extension).collect())).collect())
    }

    /// Has the directory read at the next look.
    pub(crate) fn forget(&self) {
        self.lock().names = None;
    }

    /// Whether files for the stage may have come, or been finished, since [`take_news`](Self::take_news).
    pub(crate) fn has_news(&self) -> bool {
        let known = self.catch_up();
        known.has_lost || !known.news.is_empty()
    }

    /// The files for the stage that came, or were finished, since this was asked last.
    pub(crate) fn take_news(&self) -> Names {
        let mut known = self.catch_up();
        known.has_lost = false;
        std::mem::take(&mut known.news)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies the events that wait.
    fn catch_up(&self) -> MutexGuard<'_, Known> {
        let mut known = self.lock();
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(&self.inotify, &mut buffer);
        while known.tells != Tells::Nothing {
            match events.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
                    known.apply(event.events(), name, self.spec);
                }
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => known.end(&format!("file events failed: {error}")),
            }
        }
        known
    }
}

impl Known {
    fn apply(&mut self, what: ReadFlags, name: Option<&OsStr>, spec: Spec) {
        if what.contains(ReadFlags::QUEUE_OVERFLOW) {
            self.lose();
        } else if what.intersects(ReadFlags::IGNORED | ReadFlags::UNMOUNT | ReadFlags::MOVE_SELF) {
            self.end("the directory was moved, deleted or unmounted");
        } else if let Some(name) = name {
            if let Some(name) = spec.input.and_then(|input| PublicName::parse(name, input)) {
                note(&mut self.news, name, what);
            }
            // Whoever closes a file tells nothing of its name.
            if !what.contains(ReadFlags::CLOSE_WRITE) {
                for (extension, names) in self.names.iter_mut().flatten() {
                    if let Some(name) = PublicName::parse(name, extension) {
                        note(names, name, what);
                    }
                }
            }
        }
    }

    fn lose(&mut self) {
        (self.names, self.has_lost) = (None, true);
        if !std::mem::replace(&mut self.told_lost, true) {
            info!("file events were lost: the directory is looked through instead");
        }
    }

    fn end(&mut self, why: &str) {
        if self.tells != Tells::Nothing {
            warn!("{why}: files are found by --rescan-interval only");
            (self.tells, self.names, self.has_lost) = (Tells::Nothing, None, true);
        }
    }
}

fn note(names: &mut Names, name: PublicName, what: ReadFlags) {
    if what.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM) {
        names.remove(&name);
    } else {
        names.insert(name);
    }
}

#[cfg(test)]
mod tests;
