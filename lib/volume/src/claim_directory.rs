//! The files in a claim's directory.
//!
//! Paths are whole: a takeover renames the directory, and whoever thinks that it is still its own finds nothing there.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::error::{Context, Error};
use crate::{fs, publish};

/// The input, under the name that it has in a claim; [`Compression::input`](crate::Compression) where it is compressed.
pub(crate) const INPUT: &str = "input";
/// The finished output: its name is the commit.
pub(crate) const OUTPUT: &str = "output";
/// What was refused, in the format of the input.
pub(crate) const REJECTED: &str = "rejected";
/// Line numbers and reasons of what was refused.
pub(crate) const REASONS: &str = "reasons";
/// What json-to-api has had answered.
pub(crate) const JOURNAL: &str = "journal";
/// Its lock says whether the claim has an owner.
pub(crate) const LOCK: &str = "lock";
/// The end of the name of a file that never counts: what it was to hold is not durable.
pub(crate) const UNFINISHED: &str = ".new";

/// Which of these a file is: without generation, number and compression.
pub(crate) fn kind(file: &str) -> &str {
    file.split(['.', '-']).next().unwrap_or_default()
}

/// A claim's directory, by the path that it had when it became ours.
#[derive(Debug, Clone)]
pub(crate) struct ClaimDirectory(PathBuf);

impl ClaimDirectory {
    pub(crate) fn new(path: PathBuf) -> Self {
        ClaimDirectory(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The whole path of one of its files.
    pub(crate) fn join(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    pub(crate) fn has(&self, file: &str) -> Result<bool, Error> {
        let path = self.join(file);
        Ok(fs::look(&path).act("look at", &path)?.is_some())
    }

    /// Returns an error once another worker has taken the claim over.
    pub(crate) fn still_ours(&self) -> Result<(), Error> {
        match fs::look(&self.0).act("look at", &self.0)? {
            Some(_) => Ok(()),
            None => Err(Error::Fenced { claim: self.0.clone() }),
        }
    }

    /// Tells a failure that comes of a takeover from any other.
    pub(crate) fn fenced<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        result.map_err(|error| self.still_ours().err().filter(Error::is_fenced).unwrap_or(error))
    }

    /// Makes the names in it durable.
    #[track_caller]
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.fenced(fs::sync_directory(&self.0).act("sync directory", &self.0))
    }

    /// Deletes one of its files; one that is gone is fine, unless the claim is.
    pub(crate) fn unlink(&self, file: &str) -> Result<(), Error> {
        let path = self.join(file);
        match fs::unlink(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => self.still_ours(),
            done => self.fenced(done.act("delete", &path)),
        }
    }

    /// Deletes one of its files that another name has replaced. Void before it is gone: who sees it gone counts on that,
    /// and a cut must not bring it back.
    pub(crate) fn make_void(&self, file: &str) -> Result<(), Error> {
        let void = format!("{}{UNFINISHED}", file.trim_end_matches(UNFINISHED));
        let (from, to) = (self.join(file), self.join(&void));
        if from != to {
            self.fenced(publish::rename(&from, &to).act("make void", &from))?;
        }
        self.sync()?;
        self.unlink(&void)
    }

    /// The names of its files.
    pub(crate) fn files(&self) -> Result<Vec<String>, Error> {
        let names = self.fenced(fs::names(&self.0).act("read directory", &self.0))?;
        Ok(names.iter().map(|name| name.to_string_lossy().into_owned()).collect())
    }

    /// Deletes what an earlier attempt left: everything of ours but what `keep` names. Returns whether there was any.
    ///
    /// A finished output is never deleted here, whatever a look at it said before: it is an error that it is there.
    pub(crate) fn clear(&self, keep: &[&str]) -> Result<bool, Error> {
        let left = [INPUT, OUTPUT, REJECTED, REASONS, JOURNAL];
        let files = self.files()?;
        if files.iter().any(|file| file == OUTPUT) {
            return Err(io::Error::from(ErrorKind::AlreadyExists))
                .act("find no output at", &self.join(OUTPUT));
        }
        let mut any = false;
        for file in files {
            let kind = kind(&file);
            if left.contains(&kind) && (!keep.contains(&kind) || file.ends_with(UNFINISHED)) {
                self.unlink(&file)?;
                any = true;
            }
        }
        Ok(any)
    }
}
