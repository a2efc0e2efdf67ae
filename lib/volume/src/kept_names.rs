//! The names in the data directory, kept by its events, so that few looks at it have to read it.
//!
//! An event comes late, from another thread, and so tells only which name to look at: what is there then counts. A name
//! that a rename of our own is about to give or take is looked at when that is done, so that no late event of what had
//! the name before makes it disappear.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Spec;
use crate::fs;
use crate::names::{Format, PublicName};

type Names = BTreeSet<PublicName>;

/// What happened in the data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// A file of this name was made, or moved there.
    Appeared(&'a OsStr),
    /// A file of this name was closed by a writer.
    Written(&'a OsStr),
    /// A file of this name was deleted, or moved away.
    Gone(&'a OsStr),
    /// Events were lost: anything may have happened.
    Lost,
}

/// The names that a stage takes and gives.
#[derive(Debug)]
pub(crate) struct KeptNames {
    root: PathBuf,
    spec: Spec,
    /// Others may change the directory without this machine's knowledge: events do no more than wake whoever waits.
    is_shared: bool,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// `None`: the directory must be read.
    names: Option<Vec<(Format, Names)>>,
    /// What a rename of our own is giving or taking at this moment.
    moving: Vec<(Format, PublicName)>,
    /// Files for the stage that came, or were closed by a writer, since somebody asked.
    news: Names,
}

impl Known {
    fn names(&mut self, format: Format) -> Option<&mut Names> {
        let (_, names) = self.names.as_mut()?.iter_mut().find(|(known, _)| *known == format)?;
        Some(names)
    }
}

impl KeptNames {
    pub(crate) fn new(root: PathBuf, spec: Spec, is_local: bool) -> Self {
        KeptNames { root, spec, is_shared: !is_local, known: Mutex::default() }
    }

    /// Takes note of an event; returns whether something may have come for the stage.
    pub(crate) fn note(&self, change: Change<'_>) -> bool {
        let mut known = self.lock();
        let (name, is_gone) = match change {
            Change::Appeared(name) | Change::Written(name) => (name, false),
            Change::Gone(name) => (name, true),
            Change::Lost => {
                known.names = None;
                return true;
            }
        };
        for format in self.formats() {
            if let Some(name) = format.parse(name) {
                self.look(&mut known, format, &name);
            }
        }
        let Some(name) = self.spec.takes().and_then(|format| format.parse(name)) else { return false };
        if is_gone {
            known.news.remove(&name);
        } else {
            known.news.insert(name);
        }
        !is_gone
    }

    /// Shows the names of a format, reading the directory only where they are not known; `None` where they never are.
    pub(crate) fn with<T>(
        &self,
        format: Format,
        show: impl FnOnce(&mut Names) -> T,
    ) -> Option<io::Result<T>> {
        if self.is_shared {
            return None;
        }
        let mut known = self.lock();
        if known.names.is_none() {
            let found = match fs::names(&self.root) {
                Ok(found) => found,
                Err(error) => return Some(Err(error)),
            };
            let mut names: Vec<_> =
                self.formats().map(|format| (format, format.all(&found).collect())).collect();
            for (format, names) in &mut names {
                let moving = known.moving.iter().filter(|(moving, _)| moving == format);
                Names::extend(names, moving.map(|(_, name)| name.clone()));
            }
            known.names = Some(names);
        }
        known.names(format).map(|names| Ok(show(names)))
    }

    /// Renames a file that has this name, or is to get it: meanwhile it counts as there, afterwards the directory does.
    pub(crate) fn renaming<T>(&self, format: Format, name: &PublicName, rename: impl FnOnce() -> T) -> T {
        let mut known = self.lock();
        known.moving.push((format, name.clone()));
        if let Some(names) = known.names(format) {
            names.insert(name.clone());
        }
        drop(known);
        let renamed = rename();
        let mut known = self.lock();
        known.moving.retain(|(moving, moved)| (*moving, moved) != (format, name));
        self.look(&mut known, format, name);
        renamed
    }

    /// Has the directory read at the next look.
    pub(crate) fn forget(&self) {
        self.lock().names = None;
    }

    /// The files for the stage that came, or were finished, since this was asked last.
    pub(crate) fn take_news(&self) -> Names {
        std::mem::take(&mut self.lock().news)
    }

    fn formats(&self) -> impl Iterator<Item = Format> + use<> {
        [self.spec.takes(), self.spec.gives()].into_iter().flatten()
    }

    /// Looks whether a file is there; under the lock, since what was seen must not be noted after what came later.
    fn look(&self, known: &mut Known, format: Format, name: &PublicName) {
        if known.moving.iter().any(|(moving, moved)| (*moving, moved) == (format, name)) {
            return;
        }
        let Some(names) = known.names(format) else { return };
        match fs::look(&self.root.join(format.file_name(name))) {
            Ok(Some(_)) => _ = names.insert(name.clone()),
            Ok(None) => _ = names.remove(name),
            // Whoever reads the directory learns why.
            Err(_) => known.names = None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
