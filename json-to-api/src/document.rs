//! Documents of the input, where they lie, and what became of them.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use rangemap::RangeInclusiveSet;

/// Numbers of lines, counted from 1.
pub(crate) type LineSet = RangeInclusiveSet<u64>;

/// A reason quotes what the api says; that can be anything.
const MAX_REASON: usize = 300;

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

/// A document to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) place: Place,
    /// How often it was tried.
    pub(crate) attempts: u32,
    pub(crate) body: Bytes,
}

/// A document that waits for its next attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paused {
    pub(crate) place: Place,
    pub(crate) attempts: u32,
    /// Where it cannot be read again; else it is then: many may wait.
    pub(crate) body: Option<Bytes>,
}

/// A line that is to go into `rejected/`; ordered as they stand in the input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
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

/// What one read of the input gave.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) documents: VecDeque<Document>,
    /// Blank lines: nothing is to be done about them.
    pub(crate) blank: LineSet,
    /// Lines that are no documents.
    pub(crate) refused: Vec<Refusal>,
}

/// What was answered since the last save.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Increment {
    /// Lines about which nothing is left to do: delivered, refused, blank.
    pub(crate) answered: LineSet,
    /// Those of them that go into `rejected/`.
    pub(crate) refusals: Vec<Refusal>,
    /// How many documents were sent for it: as many would be sent again if it were lost.
    pub(crate) sent: usize,
}

impl Increment {
    pub(crate) fn delivered(&mut self, line: u64) {
        self.answered.insert(line..=line);
        self.sent += 1;
    }

    /// Notes that nothing more is to be done about a line that no one accepts.
    pub(crate) fn refused(&mut self, refusal: Refusal) {
        self.answered.insert(refusal.place.line..=refusal.place.line);
        self.refusals.push(refusal);
    }

    /// Whether there is nothing to save.
    pub(crate) fn is_empty(&self) -> bool {
        self.answered.is_empty()
    }
}

/// What came of one attempt.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The api has it, and said this.
    Delivered {
        /// The body of the reply.
        reply: Bytes,
    },
    /// The api refuses it, and why.
    Rejected(String),
    /// To be tried again.
    Failed {
        why: Failure,
        /// For people.
        reason: String,
        /// What the api asked for.
        retry_after: Option<Duration>,
    },
}

/// Why a document is to be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The api answered, and asks for another attempt.
    Answered,
    /// The address, the set-up or the credentials are wrong, not the document.
    Misconfigured,
    /// No connection could be made, or no answer came in time.
    NoAnswer,
    /// The connection ended under the attempt: most likely the api had closed it while nothing was on it.
    Cut,
}
