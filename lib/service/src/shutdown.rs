use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

type Wake = Box<dyn Fn() + Send + Sync>;

/// The request to stop: made once, seen by every clone.
#[derive(Clone, Default)]
pub struct Shutdown(Arc<State>);

#[derive(Default)]
struct State {
    requested_at: OnceLock<Instant>,
    /// For tasks that wait in [`Shutdown::requested`].
    waiting: Notify,
    /// For loops that block on something else than a future.
    wakes: Mutex<Vec<Wake>>,
}

impl Shutdown {
    /// How long after the request work may still go on: 8 of the 10 seconds that users are promised, the rest is for
    /// letting go of it and ending the process.
    pub const GRACE: Duration = Duration::from_secs(8);

    /// A shutdown that nobody has asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for the shutdown; asking again changes nothing.
    pub fn request(&self) {
        if self.0.requested_at.set(Instant::now()).is_err() {
            return;
        }
        self.0.waiting.notify_waiters();
        // Called outside the lock, so that a callback may register another one.
        let wakes = std::mem::take(&mut *self.0.wakes.lock().unwrap_or_else(PoisonError::into_inner));
        for wake in wakes {
            wake();
        }
    }

    /// Whether it was asked for; one atomic load.
    pub fn is_requested(&self) -> bool {
        self.0.requested_at.get().is_some()
    }

    /// Whether [`Self::GRACE`] has passed since the request.
    pub fn grace_is_over(&self) -> bool {
        self.grace_is_over_at(Instant::now())
    }

    /// When [`Self::GRACE`] is over; none before the request.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.requested_at.get().map(|at| *at + Self::GRACE)
    }

    /// Waits for the request.
    pub async fn requested(&self) {
        // Made before the look: a request between the two is not missed.
        let woken = self.0.waiting.notified();
        if !self.is_requested() {
            woken.await;
        }
    }

    /// Calls `wake` once at the request, at once where it was already made. For loops that block on something else than
    /// a future; `wake` must not block, and is kept until the request.
    pub fn on_request(&self, wake: impl Fn() + Send + Sync + 'static) {
        let mut wakes = self.0.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at under the lock: whoever requests after this look finds the callback.
        if self.is_requested() {
            drop(wakes);
            wake();
        } else {
            wakes.push(Box::new(wake));
        }
    }
}

impl Shutdown {
    fn grace_is_over_at(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| now >= deadline)
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown").field("requested", &self.is_requested()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    fn counting(shutdown: &Shutdown) -> Arc<AtomicUsize> {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        shutdown.on_request(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        calls
    }

    #[tokio::test]
    async fn a_request_wakes_whoever_waits_and_is_seen_by_every_clone() {
        let shutdown = Shutdown::new();
        let waiting = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.requested().await }
        });
        tokio::task::yield_now().await;
        assert!(!shutdown.is_requested());
        shutdown.clone().request();
        assert!(shutdown.is_requested());
        waiting.await.unwrap();
        shutdown.requested().await;
    }

    #[test]
    fn a_callback_is_called_once_however_often_the_shutdown_is_requested() {
        let shutdown = Shutdown::new();
        let calls = counting(&shutdown);
        assert_eq!(calls.load(Ordering::SeqCst), 0);
        shutdown.request();
        shutdown.request();
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_callback_that_comes_late_is_called_at_once() {
        let shutdown = Shutdown::new();
        shutdown.request();
        assert_eq!(counting(&shutdown).load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_callback_registered_while_the_request_is_made_is_called_once() {
        for _ in 0..200 {
            let shutdown = Shutdown::new();
            let start = Barrier::new(2);
            let calls = thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    shutdown.request();
                });
                start.wait();
                counting(&shutdown)
            });
            assert_eq!(calls.load(Ordering::SeqCst), 1);
        }
    }

    #[test]
    fn a_callback_may_register_another_one() {
        let shutdown = Shutdown::new();
        let inner = shutdown.clone();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        shutdown.on_request(move || {
            let counted = Arc::clone(&counted);
            inner.on_request(move || {
                counted.fetch_add(1, Ordering::SeqCst);
            });
        });
        shutdown.request();
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn the_grace_begins_with_the_request() {
        let shutdown = Shutdown::new();
        let before = Instant::now();
        assert!(!shutdown.grace_is_over_at(before + Duration::from_secs(3600)));
        shutdown.request();
        let after = Instant::now();
        let moment = Duration::from_millis(1);
        assert!(!shutdown.grace_is_over());
        assert!(!shutdown.grace_is_over_at(before + Shutdown::GRACE - moment));
        assert!(shutdown.grace_is_over_at(after + Shutdown::GRACE));
    }
}
