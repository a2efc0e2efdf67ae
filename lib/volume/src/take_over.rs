//! Claims without an owner: which there are, and how one gets a new owner.
//!
//! The new owner holds the lock, and raises the generation in the directory's name: whoever held the claim before, and was
//! only thought dead, finds every path of its own gone.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use crate::Spec;
use crate::claim::{Claim, lock_new};
use crate::claim_directory::{LOCK, OUTPUT};
use crate::committed::Committed;
use crate::compression::Compression;
use crate::error::{Context, Error};
use crate::links::{self, Standing};
use crate::names::ClaimName;
use crate::volume::Volume;
use crate::{fs, publish};

/// What was found in an orphan.
#[derive(Debug)]
pub(crate) enum TakenOver {
    /// The output is not committed: to be done again.
    Uncommitted(Claim),
    /// The output is committed, or all is done but the tidying.
    Committed(Committed),
    /// Nothing but what is to be tidied up.
    Leftover(Claim),
}

impl Claim {
    /// Takes over a claim that nobody holds; `None` where someone does, or was faster.
    pub(crate) fn take_over(
        volume: &Volume,
        spec: Spec,
        name: ClaimName,
    ) -> Result<Option<TakenOver>, Error> {
        let parent = volume.claims(spec);
        let orphan = parent.join(name.to_string());
        if !is_directory(&orphan)? {
            return Ok(None);
        }
        let Some(lock) = lock_orphan(&orphan)? else { return Ok(None) };
        let next = name.next();
        let directory = parent.join(next.to_string());
        match fs::rename(&orphan, &directory) {
            // Someone else's takeover, or on a network file system our own: the next scan finds it either way.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            renamed => renamed.act("take over", &orphan)?,
        }
        if !fs::is_named(&lock, &directory.join(LOCK)) {
            return Ok(None);
        }
        let mut claim = Claim::new(volume, spec, next, directory, lock);
        claim.hold_input()?;
        // Else a power cut could give another owner this generation, and names that are taken; or undo what the owner
        // before moved into or out of the claim last, and did not sync.
        for directory in [parent.as_path(), claim.directory.path()] {
            fs::sync_directory(directory).act("sync directory", directory)?;
        }
        if !volume.renames_as_one() {
            fs::sync_directory(volume.root()).act("sync directory", volume.root())?;
        }
        claim.recover().map(Some)
    }

    /// Gives the input a name of this owner's. The new name of the directory does not do alone: an owner before that was only
    /// thought dead can still reach it by the old one, for as long as its machine remembers that.
    fn hold_input(&mut self) -> Result<(), Error> {
        let files = self.directory.files()?;
        let listed = files.iter().filter_map(|file| Compression::parse_input(file)).max();
        // Either may be wrong on a network file system, which remembers what was there.
        let found = match listed {
            Some(found) => Some(found),
            None => {
                let generations = [self.name.generation - 1, self.name.generation];
                let names = generations.into_iter().flat_map(|it| Compression::ALL.map(|kind| (it, kind)));
                first(names, |(generation, kind)| self.directory.has(&kind.input_of(generation)))?
            }
        };
        let Some((generation, compression)) = found else { return Ok(()) };
        self.compression = compression;
        self.has_input = true;
        if generation != self.name.generation {
            let (from, to) = (self.directory.join(&compression.input_of(generation)), self.input());
            self.directory.fenced(publish::rename(&from, &to).act("take over", &from))?;
        }
        Ok(())
    }

    fn recover(mut self) -> Result<TakenOver, Error> {
        let files = self.directory.files()?;
        let has =
            |file: &str| Ok::<_, Error>(files.iter().any(|found| found == file) || self.directory.has(file)?);
        if has(OUTPUT)? {
            return Ok(TakenOver::Committed(Committed { claim: self }));
        }
        if !self.has_input {
            // It was refused, or this is nothing that the protocol leaves; but nothing that was rejected is ever deleted.
            let refused = first(Compression::ALL, |it| Ok(has(it.rejected())? || has(it.reasons())?))?;
            let Some(compression) = refused else { return Ok(TakenOver::Leftover(self)) };
            self.compression = compression;
            return Ok(TakenOver::Committed(Committed { claim: self }));
        }
        let (input, takes) = (self.input(), self.spec.takes());
        match takes.map(|format| links::standing(&self.volume, &input, format)).transpose()? {
            Some(Standing::Void) => {
                self.directory.make_void(&self.compression.input_of(self.name.generation))?;
                self.has_input = false;
                Ok(TakenOver::Leftover(self))
            }
            _ => Ok(TakenOver::Uncommitted(self)),
        }
    }
}

/// The first of some of which something is true.
fn first<T: Copy>(
    all: impl IntoIterator<Item = T>,
    is: impl Fn(T) -> Result<bool, Error>,
) -> Result<Option<T>, Error> {
    for one in all {
        if is(one)? {
            return Ok(Some(one));
        }
    }
    Ok(None)
}

/// Locks a claim that may be an orphan; `None` where it is none.
pub(crate) fn lock_orphan(directory: &Path) -> Result<Option<File>, Error> {
    let path = directory.join(LOCK);
    match fs::open_lock(&path) {
        Ok(lock) => Ok(fs::try_lock(&lock).act("lock", &path)?.then_some(lock)),
        // A power cut can keep the directory and lose the lock file in it.
        Err(error) if error.kind() == ErrorKind::NotFound => lock_new(directory),
        Err(error) => Err(error).act("open", &path),
    }
}

/// Returns whether this is a directory: a link may lead out of the volume, where nothing is ours to move or delete.
fn is_directory(claim: &Path) -> Result<bool, Error> {
    Ok(fs::look(claim).act("look at", claim)?.is_some_and(|metadata| metadata.is_dir()))
}

/// Whether a claim has an owner.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// It has, or the claim is gone.
    Some,
    /// Nobody holds its lock.
    None,
    /// It has no lock: it is being made, being removed, or a power cut took the file.
    NoLock,
}

pub(crate) fn owner(volume: &Volume, spec: Spec, name: ClaimName) -> Result<Owner, Error> {
    let directory = volume.claims(spec).join(name.to_string());
    if fs::look(&directory).act("look at", &directory)?.is_some_and(|metadata| !metadata.is_dir()) {
        return Err(Error::NoDirectory { path: directory });
    }
    let path = directory.join(LOCK);
    match fs::open_lock(&path) {
        Ok(lock) => Ok(if fs::try_lock(&lock).act("lock", &path)? { Owner::None } else { Owner::Some }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let stands = fs::look(&directory).act("look at", &directory)?.is_some();
            Ok(if stands { Owner::NoLock } else { Owner::Some })
        }
        Err(error) => Err(error).act("open", &path),
    }
}

/// The claims of a stage that lie on the volume, whoever holds them.
pub(crate) fn all(volume: &Volume, spec: Spec) -> Result<Vec<ClaimName>, Error> {
    let directory = volume.make_claims(spec)?;
    let names = fs::names(&directory).act("read directory", &directory)?;
    Ok(names.iter().filter_map(|name| ClaimName::parse(name)).collect())
}
