use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// What a run to completion returns, anywhere in its error's chain, when it was told to stop before it was done.
///
/// [`main`](crate::main) makes the exit status of it: 128 and the signal's number, so that no Job counts as complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped with work left")]
pub struct Interrupted;

/// The request to stop: made once, seen by every clone.
#[derive(Clone, Default)]
pub struct Shutdown(Arc<State>);

#[derive(Default)]
struct State {
    requested_at: OnceLock<Instant>,
    token: CancellationToken,
}

impl Shutdown {
    /// How long after the request work may still go on: 8 of the 10 seconds that users are promised, the rest is for
    /// letting go of it and ending the process. All that ends within a shutdown shares this one budget.
    pub const GRACE: Duration = Duration::from_secs(8);

    /// A shutdown that nobody has asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for the shutdown; asking again changes nothing.
    pub fn request(&self) {
        // Before the token: whoever it wakes finds a deadline.
        if self.0.requested_at.set(Instant::now()).is_ok() {
            self.0.token.cancel();
        }
    }

    /// Whether it was asked for; one atomic load.
    pub fn is_requested(&self) -> bool {
        self.0.requested_at.get().is_some()
    }

    /// Waits for the request.
    pub async fn requested(&self) {
        self.0.token.cancelled().await;
    }

    /// When all work must have ended; none before the request.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.requested_at.get().map(|at| *at + Self::GRACE)
    }

    /// Whether the deadline has passed.
    pub fn grace_is_over(&self) -> bool {
        self.is_requested() && self.remaining().is_zero()
    }

    /// How long work may still go on; all of [`Self::GRACE`] before the request.
    pub fn remaining(&self) -> Duration {
        self.remaining_at(Instant::now())
    }

    fn remaining_at(&self, now: Instant) -> Duration {
        self.deadline().map_or(Self::GRACE, |deadline| deadline.saturating_duration_since(now))
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown").field("requested", &self.is_requested()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_budget_begins_with_the_first_request_and_is_one_for_all() {
        let shutdown = Shutdown::new();
        assert_eq!(shutdown.deadline(), None);
        assert_eq!(shutdown.remaining(), Shutdown::GRACE);
        assert!(!shutdown.grace_is_over());
        shutdown.request();
        let deadline = shutdown.deadline().unwrap();
        shutdown.request();
        assert_eq!(shutdown.clone().deadline(), Some(deadline));
        let moment = Duration::from_millis(1);
        assert!(!shutdown.grace_is_over());
        assert_eq!(shutdown.remaining_at(deadline - moment), moment);
        assert_eq!(shutdown.remaining_at(deadline), Duration::ZERO);
        assert_eq!(shutdown.remaining_at(deadline + moment), Duration::ZERO);
    }
}
