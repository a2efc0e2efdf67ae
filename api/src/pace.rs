//! What a connection is at.
//!
//! Written where things happen: in the socket and where requests are answered. It reads no clock, so that it costs next
//! to nothing.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};

/// What a connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Nothing has come yet.
    New,
    /// A head has begun.
    Head,
    Body,
    Reply,
    /// Replied, and nothing has come since.
    Idle,
    /// The last reply is out, and what the client still sends is discarded: were the socket closed, the system would tell
    /// the client that the connection is broken, before it has read the reply.
    Linger,
    /// HTTP/2, with requests in hand: each has limits of its own.
    Streams,
    /// HTTP/2, and nothing is asked. Frames that ask nothing do not end it.
    NoStreams,
}

/// The phase of one connection. All of it is used by the connection's task alone; it is shared as hyper owns the socket.
#[derive(Debug)]
pub(crate) struct Pace {
    phase: AtomicU8,
    /// Counts the changes of phase.
    changes: AtomicU64,
    /// Counts reads and writes that moved bytes.
    moves: AtomicU64,
    unread: AtomicBool,
    blocked: AtomicBool,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self {
            phase: AtomicU8::new(Phase::New as u8),
            changes: AtomicU64::new(0),
            moves: AtomicU64::new(0),
            unread: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        const PHASES: [Phase; 8] = [
            Phase::New,
            Phase::Head,
            Phase::Body,
            Phase::Reply,
            Phase::Idle,
            Phase::Linger,
            Phase::Streams,
            Phase::NoStreams,
        ];
        PHASES[usize::from(self.phase.load(Relaxed))]
    }

    /// Whether anything has come.
    pub(crate) fn has_begun(&self) -> bool {
        self.phase() != Phase::New
    }

    /// The changes of phase, and the reads and writes, so far.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.changes.load(Relaxed), self.moves.load(Relaxed))
    }

    /// Bytes came.
    pub(crate) fn received(&self) {
        match self.phase() {
            Phase::New | Phase::Idle => self.enter(Phase::Head),
            // Who sends on and does not read is not waited for any longer.
            Phase::Reply => return,
            _ => {}
        }
        self.moved();
    }

    /// Bytes went.
    pub(crate) fn sent(&self) {
        self.blocked.store(false, Relaxed);
        self.moved();
    }

    /// No bytes can go until the client reads.
    pub(crate) fn blocks(&self) {
        self.blocked.store(true, Relaxed);
    }

    /// Bytes came or went.
    pub(crate) fn moved(&self) {
        self.moves.store(self.moves.load(Relaxed) + 1, Relaxed);
    }

    /// An HTTP/2 connection has done what it can for now.
    pub(crate) fn rests(&self, has_streams: bool) {
        let phase = match (self.blocked.load(Relaxed), has_streams) {
            (true, _) => Phase::Reply,
            (false, true) => Phase::Streams,
            (false, false) => Phase::NoStreams,
        };
        if phase != self.phase() && self.phase() != Phase::Linger {
            self.enter(phase);
        }
    }

    /// The head is complete, the body is not.
    pub(crate) fn reads_body(&self) {
        self.enter(Phase::Body);
    }

    /// The request is complete, or refused.
    pub(crate) fn replies(&self) {
        self.enter(Phase::Reply);
    }

    /// Not all of the request was read, and the rest will not be.
    pub(crate) fn leaves_unread(&self) {
        self.unread.store(true, Relaxed);
    }

    /// All that the client may have sent is read.
    pub(crate) fn leaves_nothing(&self) {
        self.unread.store(false, Relaxed);
    }

    /// All that was to be written is out.
    pub(crate) fn flushed(&self) {
        if self.phase() == Phase::Reply {
            self.enter(Phase::Idle);
        }
    }

    /// The last reply is out. Whether to linger: the client may still be sending what nobody read.
    pub(crate) fn ends(&self) -> bool {
        // A connection that ends in a head has refused it.
        let lingers = self.unread.load(Relaxed) || self.phase() == Phase::Head;
        if lingers && self.phase() != Phase::Linger {
            self.leaves_unread();
            self.enter(Phase::Linger);
        }
        lingers
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
        self.changes.store(self.changes.load(Relaxed) + 1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_goes_from_head_to_idle() {
        let pace = Pace::new();
        assert_eq!(pace.phase(), Phase::New);
        pace.received();
        assert_eq!(pace.phase(), Phase::Head);
        pace.flushed();
        assert_eq!(pace.phase(), Phase::Head);
        pace.reads_body();
        pace.received();
        assert_eq!(pace.phase(), Phase::Body);
        pace.replies();
        assert_eq!(pace.phase(), Phase::Reply);
        pace.flushed();
        assert_eq!(pace.phase(), Phase::Idle);
        pace.received();
        assert_eq!(pace.phase(), Phase::Head);
    }

    #[test]
    fn only_what_was_left_unread_makes_a_connection_linger() {
        let pace = Pace::new();
        pace.replies();
        pace.flushed();
        assert!(!pace.ends());
        pace.leaves_unread();
        assert!(pace.ends());
        pace.received();
        assert!(pace.ends());
        assert_eq!(pace.phase(), Phase::Linger);
    }

    #[test]
    fn what_comes_without_requests_changes_no_phase_of_http_2() {
        let pace = Pace::new();
        pace.rests(false);
        let (changes, moves) = pace.counts();
        pace.received();
        pace.rests(false);
        assert_eq!(pace.phase(), Phase::NoStreams);
        assert_eq!(pace.counts(), (changes, moves + 1));
        pace.rests(true);
        assert_eq!(pace.phase(), Phase::Streams);
    }

    #[test]
    fn who_does_not_read_is_not_waited_for_longer_because_it_sends() {
        let pace = Pace::new();
        pace.blocks();
        pace.rests(true);
        assert_eq!(pace.phase(), Phase::Reply);
        let counts = pace.counts();
        pace.received();
        pace.rests(true);
        assert_eq!(pace.counts(), counts);
        pace.sent();
        pace.rests(true);
        assert_eq!(pace.phase(), Phase::Streams);
    }

    #[test]
    fn a_connection_that_lingers_does_so_to_its_end() {
        let pace = Pace::new();
        pace.leaves_unread();
        assert!(pace.ends());
        pace.rests(true);
        assert_eq!(pace.phase(), Phase::Linger);
    }

    #[test]
    fn a_refused_head_makes_a_connection_linger() {
        let pace = Pace::new();
        pace.received();
        assert!(pace.ends());
        assert!(pace.ends());
    }
}
