//! A claim at work: its input, and what is made of it until the commit.

use std::fs::File;
use std::io::{self, Write};
use std::time::Instant;

use crate::claim::Claim;
use crate::claim_directory::{INPUT, OUTPUT};
use crate::committed::Committed;
use crate::complete::{Fingerprint, Look};
use crate::error::{Context, Error};
use crate::fs;
use crate::journal::{self, Journal, JournalReader};
use crate::note;
use crate::output::Output;
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
}

/// How a commit ended.
#[derive(Debug)]
pub enum Commit {
    /// The batch is done and can be published.
    Done(Committed),
    /// The input changed since it was opened: what was made of it is void.
    Changed(Claim),
}

impl Claim {
    /// Opens the input; what an earlier attempt left is deleted, but for a journal.
    ///
    /// # Errors
    /// The claim is released, and whoever takes it over tries again.
    pub fn begin(mut self) -> Result<Batch, Error> {
        if !std::mem::take(&mut self.is_fresh) {
            self.clear_attempt()?;
        }
        let path = self.directory.join(INPUT);
        let input = self.directory.fenced(fs::open(&path).act("open", &path))?;
        // What was judged complete must be what is committed, also where it changes before it is read.
        let fingerprint = match self.judged {
            Some(fingerprint) => fingerprint,
            None => Fingerprint::of(&input.metadata().act("look at", &path)?),
        };
        let key = format!("{}-{}", self.name.batch, fingerprint.key());
        let output = Output::new(self.directory.join(&self.own(OUTPUT)));
        Ok(Batch { input, output, rejected: RejectFiles::new(&self), fingerprint, key, claim: self })
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

    /// When this process first saw the input: under its public name, or when it took the batch over from its owner.
    pub fn seen(&self) -> Instant {
        self.claim.seen
    }

    /// What whoever published the input noted of it: see [`Output::note`].
    pub fn note(&self) -> Option<String> {
        note::read(&self.input)
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
    pub fn journal(&self) -> Result<Option<JournalReader>, Error> {
        journal::newest(&self.claim, &self.key)
    }

    /// Makes a new journal with the content that `write` gives it, and room for so many bytes more. It costs no sync: it
    /// counts, and those before it are removed, from its first [`append`](Journal::append) on. There is one at a time.
    ///
    /// # Errors
    /// The volume failed, or has no room; the journals before it still stand.
    pub fn create_journal(
        &mut self,
        write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
        room: u64,
    ) -> Result<Journal, Error> {
        journal::create(&self.claim, &self.key, write, room)
    }

    /// Lets go of the batch for now: what was made of it so far is void, but for its journal.
    pub fn rest(self) -> Claim {
        self.claim
    }

    /// Releases the batch, and deletes what was made of it: the room may be all that others lack. Input and journal stay,
    /// and whoever takes it over carries on.
    ///
    /// # Errors
    /// Some of it is still there; whoever takes it over deletes it.
    pub fn discard(self) -> Result<(), Error> {
        let Batch { output, rejected, mut claim, .. } = self;
        // They may write what they hold: that must go, too.
        drop((output, rejected));
        claim.clear_attempt()
    }

    /// Makes rejected lines and output durable, looks whether the input is still what was read, and
    /// names the output: from then on the batch is done, whoever carries it on.
    ///
    /// # Errors
    /// Nothing is committed; the claim is released, and whoever takes it over does the batch again.
    pub fn commit(self) -> Result<Commit, Error> {
        let Batch { input: _, output, rejected, mut claim, fingerprint, .. } = self;
        let committed = commit(&mut claim, output, rejected, fingerprint);
        if !matches!(committed, Ok(true)) {
            // Where that fails, too, the next owner does it; where the output has its name, it finds that.
            let _ = claim.clear_attempt();
        }
        Ok(if committed? { Commit::Done(Committed { claim }) } else { Commit::Changed(claim) })
    }
}

/// Returns whether the input is still what was read: nothing is committed else.
fn commit(
    claim: &mut Claim,
    output: Output,
    rejected: RejectFiles,
    fingerprint: Fingerprint,
) -> Result<bool, Error> {
    let has_rejected = claim.directory.fenced(rejected.name(claim))?;
    claim.directory.fenced(output.finish())?;
    match claim.look_at_input()? {
        Look::Written(now) | Look::Unknown(now) if now == fingerprint => {}
        Look::Gone => {
            claim.still_ours()?;
            return Err(io::Error::from(io::ErrorKind::NotFound)).act("find", &claim.directory.join(INPUT));
        }
        _ => return Ok(false),
    }
    if has_rejected || claim.was_cleared {
        // The commit must not outlive a power cut that undoes what it rests on.
        claim.sync()?;
    }
    claim.commit()?;
    Ok(true)
}
