//! A batch's private directory: `.pipe/1/<stage>/<batch id>.<generation>/`.
//!
//! Whoever holds the lock in it owns it. Taking over an orphan raises the generation in the directory's
//! name, so that each path that an earlier owner knew is gone.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::Spec;
use crate::complete::{self, Fingerprint, Look};
use crate::error::{Context, Error};
use crate::fs::{self, NewFile};
use crate::hand_on::Committed;
use crate::names::{ClaimName, PublicName};
use crate::publish;
use crate::volume::Volume;

/// The input, under the name that it has in a claim.
pub(crate) const INPUT: &str = "input";
/// The finished output: its name is the commit.
pub(crate) const OUTPUT: &str = "output";
/// What was refused, in the format of the input.
pub(crate) const REJECTED: &str = "rejected";
/// Line numbers and reasons of what was refused.
pub(crate) const REASONS: &str = "reasons";
/// What json-to-api has had answered.
pub(crate) const JOURNAL: &str = "journal";
const LOCK: &str = "lock";

/// A batch in hand. Dropping it releases it: its files stay, and the next owner carries on.
#[derive(Debug)]
pub struct Claim {
    pub(crate) volume: Volume,
    pub(crate) spec: Spec,
    pub(crate) name: ClaimName,
    pub(crate) directory: PathBuf,
    /// The public name that the input had; unknown after a takeover.
    pub(crate) source: Option<String>,
    /// The content that was judged complete.
    pub(crate) judged: Option<Fingerprint>,
    /// Held, never read: the lock ends with it.
    lock: File,
}

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

/// How an attempt to claim a file ended.
#[derive(Debug)]
pub(crate) enum Take {
    Taken(Claim),
    /// Someone else was faster; the claim will do for another file.
    Gone(Claim),
    /// This one file may not be moved, or not into `.pipe/`; the claim will do for another.
    Refused(Claim, io::Error),
}

impl Claim {
    /// Makes an empty claim, locked and durable.
    pub(crate) fn create(volume: &Volume, spec: Spec) -> Result<Self, Error> {
        let parent = volume.make_claims(spec.name)?;
        // A replica that cleans up may take a directory for a dead one's before it is locked.
        for _ in 0..100 {
            let name = ClaimName::first();
            let directory = parent.join(name.to_string());
            fs::make_directory(&directory).act("make directory", &directory)?;
            if let Some(lock) = lock_new(&directory)? {
                fs::sync_directory(&parent).act("sync directory", &parent)?;
                return Ok(Claim {
                    volume: volume.clone(),
                    spec,
                    name,
                    directory,
                    source: None,
                    judged: None,
                    lock,
                });
            }
        }
        Err(io::Error::from(ErrorKind::WouldBlock)).act("lock a new claim in", &parent)
    }

    /// Claims a public file, into an empty claim.
    pub(crate) fn take(mut self, extension: &str, name: &PublicName) -> Result<Take, Error> {
        let source = name.file_name(extension);
        let (from, to) = (self.volume.root().join(&source), self.path(INPUT));
        match publish::rename(&from, &to) {
            Ok(()) => {
                fs::sync_directory(self.volume.root()).act("sync directory", self.volume.root())?;
                self.source = Some(source);
                Ok(Take::Taken(self))
            }
            Err(error) => match error.kind() {
                // Where the claim was taken over nothing can be moved into it, whatever is there.
                ErrorKind::NotFound => self.still_ours().map(|()| Take::Gone(self)),
                ErrorKind::PermissionDenied | ErrorKind::ResourceBusy | ErrorKind::CrossesDevices => {
                    Ok(Take::Refused(self, error))
                }
                _ => {
                    self.remove();
                    Err(error).act("claim", &from)
                }
            },
        }
    }

    /// Takes over a claim that nobody holds; `None` where someone does, or was faster.
    pub(crate) fn take_over(
        volume: &Volume,
        spec: Spec,
        name: ClaimName,
    ) -> Result<Option<TakenOver>, Error> {
        let parent = volume.claims(spec.name);
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
        if !is_named(&lock, &directory.join(LOCK)) {
            return Ok(None);
        }
        // Else a power cut could give another owner this generation, and names that are taken; or undo what the owner
        // before moved into or out of the claim last, and did not sync.
        for directory in [&parent, &directory] {
            fs::sync_directory(directory).act("sync directory", directory)?;
        }
        let claim =
            Claim { volume: volume.clone(), spec, name: next, directory, source: None, judged: None, lock };
        claim.recover().map(Some)
    }

    fn recover(self) -> Result<TakenOver, Error> {
        if self.has(OUTPUT)? {
            return Ok(TakenOver::Committed(Committed { claim: self }));
        }
        if self.has(INPUT)? {
            return Ok(TakenOver::Uncommitted(self));
        }
        // Never without input or output, by the protocol; but nothing that was rejected is ever deleted.
        if self.has(REJECTED)? || self.has(REASONS)? {
            return Ok(TakenOver::Committed(Committed { claim: self }));
        }
        Ok(TakenOver::Leftover(self))
    }

    /// Gives the finished output its name: from then on the batch is done.
    pub(crate) fn commit(&self) -> Result<(), Error> {
        let own = self.own_path(OUTPUT);
        self.fenced(publish::rename(&own, &self.path(OUTPUT)).act("commit", &own))?;
        self.sync()
    }

    /// The id of the batch, and how many owners it has had.
    pub fn id(&self) -> String {
        self.name.to_string()
    }

    /// The whole path of one of the claim's files.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }

    /// The path of a file of this owner's, not yet named.
    pub(crate) fn own_path(&self, file: &str) -> PathBuf {
        self.path(&format!("{file}.{}", self.name.generation))
    }

    pub(crate) fn has(&self, file: &str) -> Result<bool, Error> {
        let path = self.path(file);
        Ok(fs::look(&path).act("look at", &path)?.is_some())
    }

    pub(crate) fn look_at_input(&self) -> Result<Look, Error> {
        let path = self.path(INPUT);
        complete::look(&path, self.volume.has_leases()).act("look at", &path)
    }

    /// Makes the names in the claim durable.
    #[track_caller]
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.fenced(fs::sync_directory(&self.directory).act("sync directory", &self.directory))
    }

    /// Returns an error once another worker has taken the claim over.
    ///
    /// # Errors
    /// [`Error::Fenced`], or that the volume does not answer.
    pub fn still_ours(&self) -> Result<(), Error> {
        match fs::look(&self.directory).act("look at", &self.directory)? {
            Some(_) => Ok(()),
            None => Err(Error::Fenced { claim: self.directory.clone() }),
        }
    }

    /// Tells a failure that comes of a takeover from any other.
    pub(crate) fn fenced<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        match result {
            Err(error) => Err(self.still_ours().err().filter(Error::is_fenced).unwrap_or(error)),
            done => done,
        }
    }

    /// Deletes one of the claim's files; one that is gone is fine, unless the claim is.
    pub(crate) fn unlink(&self, file: &str) -> Result<(), Error> {
        let path = self.path(file);
        match fs::unlink(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => self.still_ours(),
            done => self.fenced(done.act("delete", &path)),
        }
    }

    /// The names of the claim's files.
    pub(crate) fn files(&self) -> Result<Vec<String>, Error> {
        let names = self.fenced(fs::names(&self.directory).act("read directory", &self.directory))?;
        Ok(names.iter().map(|name| name.to_string_lossy().into_owned()).collect())
    }

    /// Deletes what an earlier attempt left: everything of ours but what `keep` names. Returns whether there was any.
    pub(crate) fn clear(&self, keep: &[&str]) -> Result<bool, Error> {
        let left = [INPUT, OUTPUT, REJECTED, REASONS, JOURNAL];
        let mut any = false;
        for file in self.files()? {
            let kind = file.split('.').next().unwrap_or_default();
            if left.contains(&kind) && !keep.contains(&kind) {
                self.unlink(&file)?;
                any = true;
            }
        }
        Ok(any)
    }

    /// Gives the input back under its name, or one of its own where that is taken, and ends the claim.
    pub(crate) fn put_back(self) -> Result<(), Error> {
        // What was made of it is void, durably before the input can be taken anew: else its rejected lines came twice.
        if self.clear(&[INPUT])? {
            self.sync()?;
        }
        let extension = self.spec.input.unwrap_or_default();
        let from = self.path(INPUT);
        let named = self.source.as_deref().filter(|_| self.volume.can_rename_without_replacing());
        let back = named.map(|name| self.volume.rename_no_replace(&from, &self.volume.root().join(name)));
        if !matches!(back, Some(Ok(()))) {
            let own = PublicName(Some(self.name.batch.to_string())).file_name(extension);
            let to = self.volume.root().join(own);
            self.fenced(publish::rename(&from, &to).act("put back", &to))?;
        }
        fs::sync_directory(self.volume.root()).act("sync directory", self.volume.root())?;
        self.remove();
        Ok(())
    }

    /// Removes the directory, which holds nothing but its lock; false: it is still there, and the next scan finds it.
    pub(crate) fn remove(self) -> bool {
        let Claim { directory, lock, .. } = self;
        let unlinked = fs::unlink(&directory.join(LOCK));
        // Closed first: a network file system keeps an open file under another name, in the directory.
        drop(lock);
        match unlinked.and_then(|()| fs::remove_directory(&directory)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                warn!(claim = %directory.display(), %error, "could not remove the directory of a finished batch");
                false
            }
            _ => true,
        }
    }
}

/// Creates and locks a new claim's lock file; `None` where someone who cleans up was faster.
fn lock_new(directory: &Path) -> Result<Option<File>, Error> {
    let path = directory.join(LOCK);
    let lock = match NewFile::create(&path) {
        Ok(lock) => lock.into_file(),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) => {
            return Ok(None);
        }
        Err(error) => return Err(error).act("create", &path),
    };
    let locked = fs::try_lock(&lock).act("lock", &path)?;
    Ok((locked && is_named(&lock, &path)).then_some(lock))
}

/// Locks a claim that may be an orphan; `None` where it is none.
fn lock_orphan(directory: &Path) -> Result<Option<File>, Error> {
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
    /// It is no directory, so nobody's claim.
    NoClaim,
}

pub(crate) fn owner(volume: &Volume, stage: &'static str, name: ClaimName) -> Result<Owner, Error> {
    let directory = volume.claims(stage).join(name.to_string());
    if fs::look(&directory).act("look at", &directory)?.is_some_and(|metadata| !metadata.is_dir()) {
        return Ok(Owner::NoClaim);
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

/// Returns whether an open file is still the one that has the name.
fn is_named(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::look(path)) {
        (Ok(open), Ok(Some(named))) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// The claims of a stage that lie on the volume, whoever holds them.
pub(crate) fn all(volume: &Volume, stage: &'static str) -> Result<Vec<ClaimName>, Error> {
    let directory = volume.make_claims(stage)?;
    let names = fs::names(&directory).act("read directory", &directory)?;
    Ok(names.iter().filter_map(|name| ClaimName::parse(name)).collect())
}
