//! A batch's private directory: `.pipe/1/<stage>/<batch id>.<generation>/`, or `.pipe/1/<stage>.<stem>/…`.
//!
//! Whoever holds the lock in it owns it. Taking over an orphan raises the generation in the directory's
//! name, so that each path that an earlier owner knew is gone.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Instant;

use tracing::warn;

use crate::Spec;
use crate::claim_directory::{ClaimDirectory, INPUT, JOURNAL, LOCK, OUTPUT};
use crate::complete::{self, Fingerprint, Look};
use crate::compression::Compression;
use crate::error::{Context, Error};
use crate::fs::{self, NewFile};
use crate::links;
use crate::names::{ClaimName, Format, PublicName};
use crate::publish;
use crate::volume::Volume;

/// A batch in hand. Dropping it releases it: its files stay, and the next owner carries on.
#[derive(Debug)]
pub struct Claim {
    pub(crate) volume: Volume,
    pub(crate) spec: Spec,
    pub(crate) name: ClaimName,
    pub(crate) directory: ClaimDirectory,
    /// The public name that the input had; unknown after a takeover.
    pub(crate) source: Option<String>,
    /// When this process first saw the input: under its public name, or when it took the claim over.
    pub(crate) seen: Instant,
    /// How the input is compressed.
    pub(crate) compression: Compression,
    /// Whether its input is still to be put away: under a name that no other owner gives it, so that to do it is to prove
    /// that nobody has taken over.
    pub(crate) has_input: bool,
    /// The content that was judged complete.
    pub(crate) judged: Option<Fingerprint>,
    /// An earlier attempt's files were deleted, and that is not durable yet.
    pub(crate) was_cleared: bool,
    /// It was just made for its input, and nobody has begun on that: there is no earlier attempt's file to look for.
    pub(crate) is_fresh: bool,
    /// Held, never read: the lock ends with it.
    lock: File,
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
    pub(crate) fn new(volume: &Volume, spec: Spec, name: ClaimName, directory: PathBuf, lock: File) -> Self {
        let (volume, directory) = (volume.clone(), ClaimDirectory::new(directory));
        Claim {
            volume,
            spec,
            name,
            directory,
            source: None,
            seen: Instant::now(),
            compression: Compression::None,
            has_input: false,
            judged: None,
            was_cleared: false,
            is_fresh: false,
            lock,
        }
    }

    /// Makes an empty claim, locked and durable.
    pub(crate) fn create(volume: &Volume, spec: Spec) -> Result<Self, Error> {
        let parent = volume.make_claims(spec)?;
        // A replica that cleans up may take a directory for a dead one's before it is locked.
        for _ in 0..100 {
            let name = ClaimName::first();
            let directory = parent.join(name.to_string());
            fs::make_directory(&directory).act("make directory", &directory)?;
            if let Some(lock) = lock_new(&directory)? {
                fs::sync_directory(&parent).act("sync directory", &parent)?;
                return Ok(Claim::new(volume, spec, name, directory, lock));
            }
        }
        Err(io::Error::from(ErrorKind::WouldBlock)).act("lock a new claim in", &parent)
    }

    /// Claims a public file, into an empty claim.
    pub(crate) fn take(mut self, format: Format, name: &PublicName) -> Result<Take, Error> {
        let source = format.file_name(name);
        self.compression = name.compression;
        let (from, to) = (self.volume.root().join(&source), self.input());
        match self.volume.renaming(format, name, || publish::rename(&from, &to)) {
            Ok(()) => {
                fs::sync_directory(self.volume.root()).act("sync directory", self.volume.root())?;
                self.source = Some(source);
                self.has_input = true;
                self.is_fresh = true;
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

    /// Gives the finished output its name: from then on the batch is done.
    pub(crate) fn commit(&mut self) -> Result<(), Error> {
        let own = self.directory.join(&self.own(OUTPUT));
        let renamed = publish::rename(&own, &self.directory.join(OUTPUT)).act("commit", &own);
        self.directory.fenced(renamed)?;
        self.sync()
    }

    /// Refuses the input as it stands: from then on the batch is done. What tells why is durable. Where a power cut undoes
    /// it, it is refused again, under the same name: what is made durable is that it lies in `rejected/`.
    pub(crate) fn refuse(&mut self) -> Result<(), Error> {
        let (input, refused) = (self.input(), self.directory.join(self.compression.rejected()));
        self.directory.fenced(publish::rename(&input, &refused).act("refuse", &input))?;
        self.has_input = false;
        Ok(())
    }

    /// The id of the batch, and how many owners it has had.
    pub fn id(&self) -> String {
        self.name.to_string()
    }

    /// The name of a file of this owner's, not yet finished.
    pub(crate) fn own(&self, file: &str) -> String {
        format!("{file}.{}", self.name.generation)
    }

    /// Where the input lies.
    pub(crate) fn input(&self) -> PathBuf {
        self.directory.join(&self.compression.input_of(self.name.generation))
    }

    /// That the claim has another owner, whatever its path seems to say: a network file system may go on for a while to
    /// find by it what another machine has renamed.
    pub(crate) fn taken_over(&self) -> Error {
        Error::Fenced { claim: self.directory.path().to_owned() }
    }

    pub(crate) fn look_at_input(&self) -> Result<Look, Error> {
        let path = self.input();
        let looked = match self.spec.takes() {
            Some(format) => links::look(&self.volume, &path, format),
            None => complete::look(&path, self.volume.has_leases()),
        };
        looked.act("look at", &path)
    }

    /// Returns an error once another worker has taken the claim over.
    ///
    /// # Errors
    /// [`Error::Fenced`], or that the volume does not answer.
    pub fn still_ours(&self) -> Result<(), Error> {
        self.directory.still_ours()
    }

    /// Makes the names in the claim durable.
    #[track_caller]
    pub(crate) fn sync(&mut self) -> Result<(), Error> {
        self.directory.sync()?;
        self.was_cleared = false;
        Ok(())
    }

    /// Deletes what was made of the input in vain; the journal counts on.
    pub(crate) fn clear_attempt(&mut self) -> Result<(), Error> {
        let generations = self.directory.files()?;
        let mut generations = generations.iter().filter_map(|file| Compression::parse_input(file));
        if generations.any(|(generation, _)| generation > self.name.generation) {
            return Err(self.taken_over());
        }
        self.was_cleared |= self.directory.clear(&[INPUT, JOURNAL])?;
        Ok(())
    }

    /// Gives the input back under its name, or one of its own where that is taken, and ends the claim.
    pub(crate) fn put_back(mut self) -> Result<(), Error> {
        // What was made of it is void, durably before the input can be taken anew: else its rejected lines came twice.
        if self.directory.clear(&[INPUT])? {
            self.sync()?;
        }
        let Some(format) = self.spec.takes() else { return Ok(()) };
        let (from, root) = (self.input(), self.volume.root());
        let source = self.source.as_deref().filter(|_| self.volume.can_rename_without_replacing());
        let back = source.and_then(|source| {
            let (name, to) = (format.parse(source.as_ref())?, root.join(source));
            Some(self.volume.renaming(format, &name, || self.volume.rename_no_replace(&from, &to)))
        });
        if !matches!(back, Some(Ok(()))) {
            let own = PublicName::of(self.name.batch).compressed(self.compression);
            let to = root.join(format.file_name(&own));
            let moved = self.volume.renaming(format, &own, || publish::rename(&from, &to));
            self.directory.fenced(moved.act("put back", &to))?;
        }
        fs::sync_directory(root).act("sync directory", root)?;
        self.remove();
        Ok(())
    }

    /// Removes the directory, which holds nothing but its lock; false: it is still there, and the next scan finds it.
    pub(crate) fn remove(self) -> bool {
        let Claim { directory, lock, .. } = self;
        let unlinked = fs::unlink(&directory.join(LOCK));
        // Closed first: a network file system keeps an open file under another name, in the directory.
        drop(lock);
        match unlinked.and_then(|()| fs::remove_directory(directory.path())) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                warn!(claim = %directory.path().display(), %error, "could not remove the directory of a finished batch");
                false
            }
            _ => true,
        }
    }
}

/// Creates and locks a new claim's lock file; `None` where someone who cleans up was faster.
pub(crate) fn lock_new(directory: &Path) -> Result<Option<File>, Error> {
    let path = directory.join(LOCK);
    let lock = match NewFile::create(&path) {
        Ok(lock) => lock.into_file(),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) => {
            return Ok(None);
        }
        Err(error) => return Err(error).act("create", &path),
    };
    let locked = fs::try_lock(&lock).act("lock", &path)?;
    Ok((locked && fs::is_named(&lock, &path)).then_some(lock))
}
