//! The volume as whoever only watches sees it: nothing is made, locked or moved, and no symbolic link is followed.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::claim_directory::LOCK;
use crate::error::{Context, Error};
use crate::names::{ClaimName, Format, PublicName};
use crate::volume::{is_directory, private, rejected};
use crate::{Spec, fs};

/// The data directory, for looking at it. Unlike [`Volume`](crate::Volume) it need not be writable.
#[derive(Debug, Clone)]
pub struct View {
    root: PathBuf,
}

/// What lies on the volume for a stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Files that wait for it; for what starts the chain none.
    pub waiting: usize,
    /// Batches that it has in hand, or that an owner left to the next one.
    pub in_hand: usize,
    /// How long ago the first of these was claimed; unknown where a clock was set back.
    pub oldest_in_hand: Option<Duration>,
}

/// What a stage refused: how many files there are, and the last of them by name, which are the newest.
#[derive(Debug, Clone, Default)]
pub struct RejectedFiles {
    /// All of them.
    pub count: usize,
    /// The newest first.
    pub newest: Vec<(String, Metadata)>,
}

impl View {
    /// A view of a directory, which may come into being later.
    pub fn new(data_dir: &Path) -> Self {
        View { root: data_dir.to_owned() }
    }

    /// The data directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What lies there for each of the stages.
    ///
    /// # Errors
    /// A directory cannot be read; one of `.pipe/` that is missing holds nothing.
    pub fn loads(&self, specs: &[Spec]) -> Result<Vec<Load>, Error> {
        let mut loads = vec![Load::default(); specs.len()];
        // One pass for all, name by name: hundreds of thousands may wait.
        for entry in std::fs::read_dir(&self.root).act("read directory", &self.root)? {
            let name = entry.act("read directory", &self.root)?.file_name();
            for (spec, load) in specs.iter().zip(&mut loads) {
                load.waiting += usize::from(spec.takes().is_some_and(|format| format.parse(&name).is_some()));
            }
        }
        for (spec, load) in specs.iter().zip(&mut loads) {
            self.add_claims(*spec, load)?;
        }
        Ok(loads)
    }

    fn add_claims(&self, spec: Spec, load: &mut Load) -> Result<(), Error> {
        let claims = private(&self.root).join(spec.claims());
        for claim in names_if_there(&claims)? {
            let Some(name) = ClaimName::parse(&claim) else { continue };
            // Only its lock: nothing was taken yet, or all of it has gone on.
            let files = names_if_there(&claims.join(&claim))?;
            if files.iter().all(|file| file == LOCK) {
                continue;
            }
            load.in_hand += 1;
            load.oldest_in_hand = load.oldest_in_hand.max(name.age());
        }
        Ok(())
    }

    /// The files that the stage refused, no more than `most` of them by name.
    ///
    /// # Errors
    /// The directory cannot be read; where it is missing, nothing was refused.
    pub fn rejected(&self, spec: Spec, most: usize) -> Result<RejectedFiles, Error> {
        let (directory, mut files) = (rejected(&self.root), RejectedFiles::default());
        let Some(format) = spec.takes().filter(|_| is_directory(&directory)) else { return Ok(files) };
        let mut newest: BTreeSet<PublicName> = BTreeSet::new();
        for entry in std::fs::read_dir(&directory).act("read directory", &directory)? {
            let name = entry.act("read directory", &directory)?.file_name();
            let Some(name) = format.parse(&name) else { continue };
            files.count += 1;
            newest.insert(name);
            if newest.len() > most {
                newest.pop_first();
            }
        }
        for name in newest.iter().rev() {
            let name = format.file_name(name);
            let path = directory.join(&name);
            // One that is gone meanwhile is none.
            if let Some(metadata) = fs::look(&path).act("look at", &path)?.filter(Metadata::is_file) {
                files.newest.push((name, metadata));
            }
        }
        Ok(files)
    }

    /// Opens a file that the stage refused, for reading; `None` where there is no regular file of that name, or it is no
    /// name of the stage's.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open_rejected(&self, spec: Spec, name: &str) -> Result<Option<File>, Error> {
        match rejected_path(&self.root, spec.takes(), name) {
            Some(path) => open_regular(&path).act("open", &path),
            None => Ok(None),
        }
    }

    /// Opens the reasons beside such a file, as [`open_rejected`](Self::open_rejected) does.
    ///
    /// # Errors
    /// They cannot be opened.
    pub fn open_reasons(&self, spec: Spec, name: &str) -> Result<Option<File>, Error> {
        match rejected_path(&self.root, spec.takes(), name) {
            Some(path) => {
                let path = reasons(&path);
                open_regular(&path).act("open", &path)
            }
            None => Ok(None),
        }
    }
}

/// Where a file of this name lies that was refused; `None` where the name is none of the format's, so that no name leads
/// elsewhere, or `rejected/` is no directory of the volume's.
pub(crate) fn rejected_path(root: &Path, format: Option<Format>, name: &str) -> Option<PathBuf> {
    format?.parse(name.as_ref())?;
    let directory = rejected(root);
    is_directory(&directory).then(|| directory.join(name))
}

/// The reasons beside a file that was refused.
pub(crate) fn reasons(path: &Path) -> PathBuf {
    path.with_added_extension("reasons")
}

fn open_regular(path: &Path) -> io::Result<Option<File>> {
    // Before it is opened: to open a device may do something.
    if !fs::look(path)?.is_some_and(|metadata| metadata.is_file()) {
        return Ok(None);
    }
    let file = match fs::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    // Another may have got the name since.
    Ok(file.metadata()?.is_file().then_some(file))
}

/// The names in a directory, none where it is missing, or gone meanwhile.
fn names_if_there(directory: &Path) -> Result<Vec<std::ffi::OsString>, Error> {
    if !is_directory(directory) {
        return Ok(Vec::new());
    }
    match fs::names(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        names => names.act("read directory", directory),
    }
}

#[cfg(test)]
mod tests;
