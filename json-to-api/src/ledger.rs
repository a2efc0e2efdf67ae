//! Who does what with which document: what is handed out, what is in flight, what pauses, what was answered.
//!
//! Pure: the time is given, nothing is read, sent or saved here. Three bounds are kept here:
//!
//! - A document is handed out only while those in flight and those answered but not yet saved are fewer than
//!   [`MAX_UNSAVED`]: after a kill, at most so many and what was in flight are sent twice.
//! - At most [`MAX_OUTSTANDING`] documents are in flight or pause, and just one where only one may be in flight: then the
//!   order is kept.
//! - Documents read ahead are few, see [`Ledger::is_hungry`]. One that pauses keeps its place in the input, not its body.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::mem;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::ranges::Ranges;

/// See the module's documentation.
pub(crate) const MAX_UNSAVED: usize = 1_000;
/// See the module's documentation.
pub(crate) const MAX_OUTSTANDING: usize = 1_000;
/// So many answers are worth a save of their own.
const SAVE_AFTER: usize = 500;
/// No answer stays unsaved for longer, as far as the volume can follow.
const SAVE_EVERY: Duration = Duration::from_millis(200);
/// So many refusals are saved before more of the input is read: they are in memory until then.
const MAX_REFUSALS: usize = 4_096;
/// More is read ahead once fewer bytes wait.
const READ_AHEAD: usize = 64 << 10;
/// A reason quotes what the api says; that can be anything.
const MAX_REASON: usize = 300;

/// A document of the input, on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) place: Place,
    /// How often it was tried.
    pub(crate) attempts: u32,
    /// What is sent; `None` after a pause: to be read again.
    pub(crate) body: Option<Bytes>,
}

/// Where a line lies in the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Counts from 1.
    pub(crate) line: u64,
    /// In bytes from the start of the input.
    pub(crate) offset: u64,
    /// In bytes, without the line feed.
    pub(crate) length: u64,
}

/// A line that is to go into `rejected/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) place: Place,
    /// For people; not long.
    pub(crate) reason: String,
}

impl Refusal {
    pub(crate) fn new(place: Place, mut reason: String) -> Self {
        reason.truncate(reason.floor_char_boundary(MAX_REASON));
        Refusal { place, reason }
    }
}

/// Lines of the input, in their order.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) documents: VecDeque<Document>,
    /// Blank lines: nothing is to be done about them.
    pub(crate) blank: Ranges,
    /// Lines that are no documents.
    pub(crate) refused: Vec<Refusal>,
    /// How many lines were not blank, those that an earlier owner had answered included.
    pub(crate) records: u64,
    /// The number of the last line so far.
    pub(crate) last_line: u64,
    /// The input ends here.
    pub(crate) is_last: bool,
}

/// What has been answered since the last save.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Increment {
    /// Lines about which nothing is left to do: delivered, refused, blank.
    pub(crate) answered: Ranges,
    /// Those of them that go into `rejected/`.
    pub(crate) refusals: Vec<Refusal>,
    /// How many were sent: see [`MAX_UNSAVED`].
    pub(crate) sent: usize,
}

impl Increment {
    /// Adds what was answered later.
    pub(crate) fn append(&mut self, mut later: Increment) {
        self.answered.insert_all(&later.answered);
        self.refusals.append(&mut later.refusals);
        self.sent += later.sent;
    }
}

/// What a sender is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Deliver(Document),
    /// Nothing now; [`Wanted::senders`] says when to ask again.
    Wait,
    /// Nothing any more.
    Ended,
}

impl Next {
    /// The document, if there is one now.
    pub(crate) fn document(self) -> Option<Document> {
        if let Next::Deliver(document) = self { Some(document) } else { None }
    }
}

/// Who should look again, because of what has just changed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) senders: bool,
    pub(crate) keeper: bool,
    pub(crate) reader: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Paused {
    due: Instant,
    document: Document,
}

impl Ord for Paused {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.document.place).cmp(&(other.due, other.document.place))
    }
}

impl PartialOrd for Paused {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The state of a batch's documents.
#[derive(Debug)]
pub(crate) struct Ledger {
    max_outstanding: usize,
    /// Read and never handed out yet, in the order of the input.
    fresh: VecDeque<Document>,
    fresh_bytes: usize,
    paused: BinaryHeap<Reverse<Paused>>,
    in_flight: usize,
    unsaved: Increment,
    /// When the first answer in `unsaved` came.
    unsaved_since: Option<Instant>,
    /// How many of what is being saved were sent.
    saving: usize,
    /// A sender was turned away for want of a save.
    save_wanted: bool,
    all_read: bool,
    ended: bool,
    records: u64,
    last_line: u64,
    wanted: Wanted,
}

impl Ledger {
    /// The ledger of a batch of which nothing was read yet.
    pub(crate) fn new(concurrency: usize) -> Self {
        Ledger {
            max_outstanding: if concurrency == 1 { 1 } else { MAX_OUTSTANDING },
            fresh: VecDeque::new(),
            fresh_bytes: 0,
            paused: BinaryHeap::new(),
            in_flight: 0,
            unsaved: Increment::default(),
            unsaved_since: None,
            saving: 0,
            save_wanted: false,
            all_read: false,
            ended: false,
            records: 0,
            last_line: 0,
            wanted: Wanted::default(),
        }
    }

    /// Takes in what was read.
    pub(crate) fn supply(&mut self, mut chunk: Chunk, now: Instant) {
        self.fresh_bytes += chunk.documents.iter().map(size).sum::<usize>();
        self.wanted.senders |= !chunk.documents.is_empty();
        self.fresh.append(&mut chunk.documents);
        self.unsaved.answered.insert_all(&chunk.blank);
        for refusal in chunk.refused {
            self.unsaved.answered.insert(refusal.place.line);
            self.unsaved.refusals.push(refusal);
            self.unsaved_since.get_or_insert(now);
        }
        self.wanted.keeper |= self.unsaved.refusals.len() >= MAX_REFUSALS;
        self.records += chunk.records;
        self.last_line = chunk.last_line;
        self.all_read |= chunk.is_last;
        self.wanted.keeper |= self.is_done();
    }

    /// Returns whether more of the input should be read.
    pub(crate) fn is_hungry(&self) -> bool {
        self.fresh_bytes < READ_AHEAD && self.unsaved.refusals.len() < MAX_REFUSALS && !self.all_read
    }

    /// Hands out a document: one whose pause is over before a new one.
    pub(crate) fn next(&mut self, now: Instant) -> Next {
        if self.ended {
            return Next::Ended;
        }
        let is_due = self.next_due().is_some_and(|due| due <= now);
        let may_begin = !self.fresh.is_empty() && self.in_flight + self.paused.len() < self.max_outstanding;
        if !is_due && !may_begin {
            return Next::Wait;
        }
        if self.in_flight + self.unsaved.sent + self.saving >= MAX_UNSAVED {
            self.wanted.keeper |= !self.save_wanted;
            self.save_wanted = true;
            return Next::Wait;
        }
        let document =
            if is_due { self.paused.pop().map(|Reverse(paused)| paused.document) } else { self.begin() };
        document.map_or(Next::Wait, |document| {
            self.in_flight += 1;
            Next::Deliver(document)
        })
    }

    fn begin(&mut self) -> Option<Document> {
        let was_hungry = self.is_hungry();
        let document = self.fresh.pop_front()?;
        self.fresh_bytes -= size(&document);
        self.wanted.reader |= !was_hungry && self.is_hungry();
        Some(document)
    }

    /// Notes that a document which was in flight is delivered.
    pub(crate) fn delivered(&mut self, line: u64, now: Instant) {
        self.land();
        self.unsaved.answered.insert(line);
        self.unsaved.sent += 1;
        self.unsaved_since.get_or_insert(now);
        self.wanted.keeper |= self.unsaved.sent == SAVE_AFTER || self.is_done();
    }

    /// Notes that a document which was in flight is refused by the api.
    pub(crate) fn refused(&mut self, refusal: Refusal, now: Instant) {
        let line = refusal.place.line;
        self.unsaved.refusals.push(refusal);
        self.delivered(line, now);
    }

    /// Notes that a document which was in flight is to be tried again, from `due` on.
    pub(crate) fn paused(&mut self, mut document: Document, due: Instant) {
        self.in_flight -= 1;
        document.body = None;
        self.wanted.keeper |= self.in_flight == 0 || self.next_due().is_none_or(|earliest| due < earliest);
        self.paused.push(Reverse(Paused { due, document }));
    }

    fn land(&mut self) {
        self.wanted.senders |= self.in_flight + self.paused.len() >= self.max_outstanding;
        self.in_flight -= 1;
        self.wanted.keeper |= self.in_flight == 0 && self.ended;
    }

    /// When the next save should begin; `None`: there is nothing to save.
    pub(crate) fn save_due(&self) -> Option<Instant> {
        let since = self.unsaved_since?;
        let at_once = self.save_wanted
            || self.unsaved.sent >= SAVE_AFTER
            || self.unsaved.refusals.len() >= MAX_REFUSALS;
        Some(if at_once { since } else { since + SAVE_EVERY })
    }

    /// Takes what is to be saved; [`Ledger::saved`] follows, or the end.
    pub(crate) fn begin_save(&mut self) -> Increment {
        self.saving += self.unsaved.sent;
        self.unsaved_since = None;
        let was_hungry = self.is_hungry();
        let increment = mem::take(&mut self.unsaved);
        self.wanted.reader |= !was_hungry && self.is_hungry();
        increment
    }

    /// Notes that an increment is durable.
    pub(crate) fn saved(&mut self, increment: &Increment) {
        self.saving -= increment.sent;
        self.wanted.senders |= mem::take(&mut self.save_wanted);
    }

    /// Hands out nothing from now on.
    pub(crate) fn end(&mut self) {
        self.ended = true;
        self.wanted = Wanted { senders: true, keeper: true, reader: true };
    }

    /// Returns whether nothing is handed out any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Returns whether every document is answered.
    pub(crate) fn is_done(&self) -> bool {
        self.all_read && self.fresh.is_empty() && self.paused.is_empty() && self.in_flight == 0
    }

    /// How many documents are with a sender.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// When the earliest pause ends.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.paused.peek().map(|Reverse(paused)| paused.due)
    }

    /// How many pauses are over.
    pub(crate) fn due(&self, now: Instant) -> usize {
        self.paused.iter().filter(|Reverse(paused)| paused.due <= now).count()
    }

    /// How many lines were not blank, and the number of the last line.
    pub(crate) fn read(&self) -> (u64, u64) {
        (self.records, self.last_line)
    }

    /// Says who should look again since this was last asked.
    pub(crate) fn take_wanted(&mut self) -> Wanted {
        mem::take(&mut self.wanted)
    }
}

fn size(document: &Document) -> usize {
    document.body.as_ref().map_or(0, Bytes::len)
}

#[cfg(test)]
mod tests;
