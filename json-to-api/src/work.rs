//! What is known of a batch's documents: read, waiting for an attempt, answered, saved.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::time::Instant;

use bytes::Bytes;
use stage::{Input, ProcessError, Turn};
use tokio_util::time::DelayQueue;
use volume::{Batch, Compression, Journal};

use crate::document::{Document, Increment, Paused};
use crate::progress::Progress;
use crate::reader::{self, Reader};

/// Documents in flight and those answered but not yet saved are fewer: after a kill, at most so many and what was in flight
/// are sent twice.
pub(crate) const MAX_UNSAVED: usize = 1_000;
/// So many documents wait for their next attempt at most; then no further ones are begun.
const MAX_PAUSED: usize = 16_384;
/// The bodies of those that are kept in memory take so many bytes, and what was in flight besides.
const MAX_HELD: usize = 16 << 20;
/// So many lines that are no documents are saved before more is read: they are in memory until then.
pub(crate) const MAX_REFUSALS: usize = 512;
/// A line's share of a journal: a refusal with the longest reason, escaped, and the range that covers it.
const RECORD: u64 = 768;

/// What is known of a batch's documents.
pub(crate) struct Work {
    pub(crate) reader: Reader<Input>,
    /// The input is compressed: no part of it can be read again by itself.
    pub(crate) is_compressed: bool,
    /// How many bytes the bodies of documents take that wait, where they are kept.
    held: usize,
    /// Read and never sent yet.
    pub(crate) fresh: VecDeque<Document>,
    pub(crate) paused: DelayQueue<Paused>,
    /// Those whose pause is over.
    pub(crate) due: VecDeque<Paused>,
    /// How often its documents had been tried when this began.
    attempts_before: u32,
    /// How often the one was tried that was tried most often.
    pub(crate) attempts: u32,
    /// How many documents were sent.
    pub(crate) sent: u64,
    pub(crate) progress: Progress,
    pub(crate) unsaved: Increment,
    pub(crate) saved_at: Instant,
    /// Where the next increment is appended; `None` while that happens.
    pub(crate) journal: Option<Journal>,
    /// How many bytes the journal must have room for before anything is sent.
    pub(crate) room: u64,
}

impl Work {
    /// Begins a batch; `rested`: how often its documents had been tried when it came to rest.
    pub(crate) fn begin(
        batch: &mut Batch,
        turn: &Turn<'_>,
        rested: Option<u32>,
    ) -> Result<Self, ProcessError> {
        let progress = Progress::read(batch)?;
        let is_compressed = batch.compression() != Compression::None;
        // Nothing is sent of a file that cannot be unpacked to its end, so that it can be mended and moved back. Where
        // something was answered, whoever sent it has looked through the file.
        if is_compressed && rested.is_none() && progress.answered().is_empty() {
            turn.input(batch)?.read_through()?;
        }
        // A line is a byte and a line feed at least, unless it is compressed.
        let lines = if is_compressed { u64::MAX } else { batch.input_len() / 2 + 1 };
        let room = lines.min((MAX_UNSAVED + 2 * MAX_REFUSALS) as u64) * RECORD;
        let attempts = rested.unwrap_or(0);
        let mut work = Work {
            reader: Reader::new(turn.input(batch)?, progress.answered().clone()),
            is_compressed,
            held: 0,
            attempts_before: attempts,
            attempts,
            fresh: VecDeque::new(),
            paused: DelayQueue::new(),
            due: VecDeque::new(),
            sent: 0,
            progress,
            unsaved: Increment::default(),
            saved_at: Instant::now(),
            journal: None,
            room,
        };
        work.begin_journal(batch)?;
        Ok(work)
    }

    /// Makes a journal with room for what is sent from now on; what an earlier one says is in it.
    pub(crate) fn begin_journal(&mut self, batch: &mut Batch) -> Result<(), ProcessError> {
        // First, for its room.
        self.journal = None;
        self.journal = Some(self.progress.create_journal(batch, self.room)?);
        Ok(())
    }

    /// Nothing is left to be sent.
    pub(crate) fn is_done(&self) -> bool {
        self.reader.has_ended() && self.fresh.is_empty() && self.due.is_empty() && self.paused.is_empty()
    }

    /// When the next pause ends, where there is nothing else to be done before.
    pub(crate) fn only_waits_until(&mut self) -> Option<Instant> {
        let nothing_fresh = self.reader.has_ended() && self.fresh.is_empty();
        if !self.due.is_empty() || !(nothing_fresh || self.is_full()) {
            return None;
        }
        let next = self.paused.deadline(&self.paused.peek()?).into_std();
        // Where it is over already, its document is the next to be sent.
        (next > Instant::now()).then_some(next)
    }

    /// The next document to send; `None`: there is none now.
    pub(crate) fn next_document(&mut self, input: &File) -> Result<Option<Document>, ProcessError> {
        if let Some(Paused { place, attempts, body }) = self.due.pop_front() {
            self.held -= body.as_ref().map_or(0, Bytes::len);
            let body = body.map_or_else(|| reader::read_again(input, place), Ok)?;
            return Ok(Some(Document { place, attempts, body }));
        }
        if self.is_full() {
            return Ok(None);
        }
        if self.fresh.is_empty() && self.may_read() {
            let chunk = self.reader.next_chunk().map_err(looked_through)?;
            self.unsaved.answered.extend(chunk.blank);
            chunk.refused.into_iter().for_each(|refusal| self.unsaved.refused(refusal));
            self.fresh = chunk.documents;
            // Pauses go on growing behind a rest.
            self.fresh.iter_mut().for_each(|document| document.attempts = self.attempts_before);
        }
        Ok(self.fresh.pop_front())
    }

    pub(crate) fn may_read(&self) -> bool {
        !self.reader.has_ended() && self.unsaved.refusals.len() < MAX_REFUSALS && !self.is_full()
    }

    /// So many documents wait for their next attempt that no further ones are begun.
    fn is_full(&self) -> bool {
        self.paused.len() >= MAX_PAUSED || self.held >= MAX_HELD
    }

    /// What is known of a document until its next attempt.
    pub(crate) fn pausing(&mut self, Document { place, attempts, body }: Document) -> Paused {
        // A copy: it may be a small part of what is kept with it.
        let body = self.is_compressed.then(|| Bytes::copy_from_slice(&body));
        self.held += body.as_ref().map_or(0, Bytes::len);
        Paused { place, attempts, body }
    }
}

/// What is wrong with an input that was looked through is not its writer's doing, and something of it may be sent.
pub(crate) fn looked_through(error: io::Error) -> ProcessError {
    match error.into() {
        ProcessError::Undecodable(why) => ProcessError::Input(io::Error::other(why.to_string())),
        other => other,
    }
}
