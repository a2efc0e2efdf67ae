//! A claim at work: its input, and what is made of it until the commit.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::claim::{Claim, INPUT, JOURNAL, OUTPUT};
use crate::complete::{Fingerprint, Look};
use crate::error::{Context, Error};
use crate::fs::{self, NewFile};
use crate::hand_on::Committed;
use crate::journal::{self, Journal};
use crate::rejected::RejectFiles;

/// One batch in hand.
#[derive(Debug)]
pub struct Batch {
    /// What is to be read, at its start.
    pub input: File,
    /// What comes of it.
    pub output: Output,
    /// What can't be read.
    pub rejected: RejectFiles,
    claim: Claim,
    fingerprint: Fingerprint,
    key: String,
    /// An earlier attempt's files were deleted, and that is not durable yet.
    was_cleared: bool,
}

/// How a commit ended.
#[derive(Debug)]
pub enum Commit {
    /// The batch is done and can be handed on.
    Done(Committed),
    /// The input changed since it was opened: what was made of it is void.
    Changed(Claim),
}

impl Claim {
    /// Opens the input; what an earlier attempt left is deleted, but for a journal.
    ///
    /// # Errors
    /// The claim is released, and whoever takes it over tries again.
    pub fn begin(self) -> Result<Batch, Error> {
        let was_cleared = self.clear(&[INPUT, JOURNAL])?;
        let path = self.path(INPUT);
        let input = self.fenced(fs::open(&path).act("open", &path))?;
        // What was judged complete must be what is committed, also where it changes before it is read.
        let fingerprint = match self.judged {
            Some(fingerprint) => fingerprint,
            None => Fingerprint::of(&input.metadata().act("look at", &path)?),
        };
        let key = format!("{}-{}", self.name.batch, fingerprint.key());
        let output = Output::new(&self);
        Ok(Batch {
            input,
            output,
            rejected: RejectFiles::new(&self),
            fingerprint,
            key,
            was_cleared,
            claim: self,
        })
    }
}

impl Batch {
    /// The id of the batch, and how many owners it has had; for the log.
    pub fn id(&self) -> String {
        self.claim.id()
    }

    /// The public name that the input had; unknown after a takeover.
    pub fn source(&self) -> Option<&str> {
        self.claim.source.as_deref()
    }

    /// What begins the idempotency keys of the batch's documents: 40 to 80 characters of `[0-9a-f.-]`.
    ///
    /// It is the same for the same content, also after a restart, and for no other batch or content.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The input's size in bytes when it was opened.
    pub fn input_len(&self) -> u64 {
        self.fingerprint.size
    }

    /// Returns an error once another worker has taken the batch over.
    ///
    /// # Errors
    /// [`Error::Fenced`], or that the volume does not answer.
    pub fn still_ours(&self) -> Result<(), Error> {
        self.claim.still_ours()
    }

    /// Opens the newest journal of this content, by this or an earlier owner, for reading.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn journal(&self) -> Result<Option<File>, Error> {
        journal::newest(&self.claim, &self.key)
    }

    /// Makes a new journal with the content that `write` gives it, and removes those before it.
    ///
    /// # Errors
    /// It could not be made durable; the ones before it still stand.
    pub fn create_journal(
        &mut self,
        write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Journal, Error> {
        journal::create(&self.claim, &self.key, write)
    }

    /// Makes rejected lines and output durable, looks whether the input is still what was read, and
    /// names the output: from then on the batch is done, whoever carries it on.
    ///
    /// # Errors
    /// Nothing is committed; the claim is released, and whoever takes it over does the batch again.
    pub fn commit(self) -> Result<Commit, Error> {
        let Batch { input: _, output, rejected, claim, fingerprint, was_cleared, .. } = self;
        let has_rejected = claim.fenced(rejected.name(&claim))?;
        claim.fenced(output.finish())?;
        let unchanged = match claim.look_at_input()? {
            Look::Written(now) | Look::Unknown(now) => now == fingerprint,
            Look::Gone => {
                claim.still_ours()?;
                return Err(io::Error::from(io::ErrorKind::NotFound)).act("find", &claim.path(INPUT));
            }
            Look::BeingWritten | Look::Unfit(_) => false,
        };
        if !unchanged {
            return Ok(Commit::Changed(claim));
        }
        if has_rejected || was_cleared {
            // The commit must not outlive a power cut that undoes what it rests on.
            claim.sync()?;
        }
        claim.commit()?;
        Ok(Commit::Done(Committed { claim }))
    }
}

/// A batch's output, unbuffered; its file is made with the first write.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    file: Option<NewFile>,
    written: u64,
    unsynced: u64,
}

/// So many bytes are synced at once at most: the last sync of a large file would else take longer than a probe waits.
const SYNC_EVERY: u64 = 64 << 20;

impl Output {
    pub(crate) fn new(claim: &Claim) -> Self {
        Output { path: claim.own_path(OUTPUT), file: None, written: 0, unsynced: 0 }
    }

    /// How many bytes were written.
    pub fn written(&self) -> u64 {
        self.written
    }

    fn file(&mut self) -> Result<&mut NewFile, Error> {
        if self.file.is_none() {
            self.file = Some(NewFile::create(&self.path).act("create", &self.path)?);
        }
        Ok(self.file.as_mut().expect("it was just made"))
    }

    fn sync_so_far(&mut self) -> Result<(), Error> {
        self.unsynced = 0;
        let path = self.path.clone();
        self.file()?.sync_data().act("sync", &path)
    }

    /// Makes the file durable, and marks it as complete.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        let file = self.file()?;
        file.mark_complete().and_then(|()| file.sync()).act("sync", &self.path)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file().map_err(Error::into_io)?.write(bytes);
        match written {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            done => {
                let written = done.act("write", &self.path).map_err(Error::into_io)?;
                self.written += written as u64;
                self.unsynced += written as u64;
                if self.unsynced >= SYNC_EVERY {
                    self.sync_so_far().map_err(Error::into_io)?;
                }
                Ok(written)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
