//! The ledger where several tasks and threads meet: behind a lock, with what wakes whom.
//!
//! Senders ask it for documents, the reader supplies them, the keeper saves what was answered and looks whether the
//! batch is still ours.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::ledger::{Chunk, Document, Ledger, Next};

/// No document is sent if the last look at the claim is older.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A look that is older is renewed meanwhile, so that senders need not wait for it.
const LOOK_AHEAD: Duration = Duration::from_millis(50);

/// A batch's ledger, shared.
pub(crate) struct Board {
    ledger: Mutex<Ledger>,
    /// Wakes senders that wait for a document, or for the end.
    senders: Notify,
    /// Wakes the keeper.
    pub(crate) keeper: Notify,
    /// Wakes the reader.
    reader: Condvar,
    /// Why the input cannot be read.
    failure: Mutex<Option<io::Error>>,
    /// What the milliseconds below count from.
    epoch: Instant,
    looked: AtomicU64,
    look_wanted: AtomicBool,
    /// Wakes senders that wait for a look.
    look_taken: Notify,
    attempted: AtomicU64,
}

impl Board {
    /// For a batch that has just been looked at.
    pub(crate) fn new(concurrency: u16) -> Self {
        Board {
            ledger: Mutex::new(Ledger::new(usize::from(concurrency))),
            senders: Notify::new(),
            keeper: Notify::new(),
            reader: Condvar::new(),
            failure: Mutex::new(None),
            epoch: Instant::now(),
            looked: AtomicU64::new(0),
            look_wanted: AtomicBool::new(false),
            look_taken: Notify::new(),
            attempted: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the ledger, and wakes who should look again because of it.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Ledger) -> T) -> T {
        let mut ledger = self.lock();
        let outcome = act(&mut ledger);
        let wanted = ledger.take_wanted();
        drop(ledger);
        if wanted.senders {
            self.senders.notify_waiters();
        }
        if wanted.keeper {
            self.keeper.notify_one();
        }
        if wanted.reader {
            self.reader.notify_one();
        }
        outcome
    }

    /// Waits for the next document; `None`: there are none any more.
    pub(crate) async fn next_document(&self) -> Option<Document> {
        loop {
            match self.with(|ledger| ledger.next(Instant::now())) {
                Next::Deliver(document) => return Some(document),
                Next::Ended => return None,
                Next::Wait => {}
            }
            // Made before the second look: a change between that look and the waiting is not missed.
            let changed = self.senders.notified();
            match self.with(|ledger| ledger.next(Instant::now())) {
                Next::Deliver(document) => return Some(document),
                Next::Ended => return None,
                Next::Wait => changed.await,
            }
        }
    }

    /// Waits until nothing is handed out any more.
    pub(crate) async fn ended(&self) {
        loop {
            let changed = self.senders.notified();
            if self.with(|ledger| ledger.has_ended()) {
                return;
            }
            changed.await;
        }
    }

    /// Wakes as many senders as there are documents whose pauses are over. It may be too few where some are about to
    /// wait; whoever calls this looks again.
    pub(crate) fn wake_senders(&self, due: usize) {
        for _ in 0..due {
            self.senders.notify_one();
        }
    }

    /// Waits until the reader is to read on; false: it is to stop.
    pub(crate) fn wait_until_hungry(&self) -> bool {
        let mut ledger = self.lock();
        while !ledger.has_ended() && !ledger.is_hungry() {
            ledger = self.reader.wait(ledger).unwrap_or_else(PoisonError::into_inner);
        }
        !ledger.has_ended()
    }

    /// Takes in what was read.
    pub(crate) fn supply(&self, chunk: Chunk) {
        self.with(|ledger| ledger.supply(chunk, Instant::now()));
    }

    /// Notes that the input cannot be read: the batch cannot go on.
    pub(crate) fn fail(&self, error: io::Error) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.keeper.notify_one();
    }

    /// Why the batch cannot go on.
    pub(crate) fn take_failure(&self) -> Option<io::Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until a look at the claim is recent enough to send something; returns the time then.
    pub(crate) async fn wait_until_looked_at(&self) -> Instant {
        let mut now = Instant::now();
        let asked = self.since_epoch(now);
        loop {
            let taken = self.look_taken.notified();
            let looked = self.looked.load(Ordering::Acquire);
            let age = Duration::from_millis(self.since_epoch(now).saturating_sub(looked));
            if age >= LOOK_AHEAD && !self.look_wanted.swap(true, Ordering::AcqRel) {
                self.keeper.notify_one();
            }
            // On a volume so slow that every look is old when it ends, one that began after the question will do.
            if age < LOOK_EVERY || looked >= asked {
                return now;
            }
            taken.await;
            now = Instant::now();
        }
    }

    /// Returns whether somebody waits for a look at the claim.
    pub(crate) fn is_look_wanted(&self) -> bool {
        self.look_wanted.load(Ordering::Acquire)
    }

    /// Notes that a look at the claim, begun at `at`, found it ours.
    pub(crate) fn looked_at(&self, at: Instant) {
        self.looked.store(self.since_epoch(at), Ordering::Release);
        self.look_wanted.store(false, Ordering::Release);
        self.look_taken.notify_waiters();
    }

    /// Notes that an attempt begins.
    pub(crate) fn attempt(&self, now: Instant) {
        let now = self.since_epoch(now);
        // Looking is cheaper than writing, where others look as well.
        if self.attempted.load(Ordering::Relaxed) != now {
            self.attempted.store(now, Ordering::Relaxed);
        }
    }

    /// How long ago the last attempt began.
    pub(crate) fn since_last_attempt(&self) -> Duration {
        self.epoch.elapsed().saturating_sub(Duration::from_millis(self.attempted.load(Ordering::Relaxed)))
    }

    fn since_epoch(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.epoch).as_millis()).unwrap_or(u64::MAX)
    }
}
