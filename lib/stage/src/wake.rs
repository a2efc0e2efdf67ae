//! What a stage's loop sleeps on.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A bell: rung while nobody sleeps, it ends the next sleep at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wake {
    bell: Arc<(Mutex<bool>, Condvar)>,
}

impl Wake {
    /// Ends the current sleep, or the next.
    pub(crate) fn wake(&self) {
        let (rung, condition) = &*self.bell;
        *rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        condition.notify_all();
    }

    /// Sleeps until the bell is rung, but no longer than `timeout`; returns whether it was rung.
    pub(crate) fn sleep(&self, timeout: Duration) -> bool {
        let (rung, condition) = &*self.bell;
        let guard = rung.lock().unwrap_or_else(PoisonError::into_inner);
        let slept = condition.wait_timeout_while(guard, timeout, |rung| !*rung);
        let (mut guard, _) = slept.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *guard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_rung_early_ends_the_next_sleep() {
        let wake = Wake::default();
        wake.wake();
        // Would outlast any test runner if the bell were lost.
        assert!(wake.sleep(Duration::from_secs(1_000_000)));
        assert!(!wake.sleep(Duration::ZERO), "it was rung once");
    }

    #[test]
    fn a_sleep_ends_when_the_bell_is_rung_from_elsewhere() {
        let wake = Wake::default();
        let other = wake.clone();
        let ringer = std::thread::spawn(move || other.wake());
        wake.sleep(Duration::from_secs(1_000_000));
        ringer.join().unwrap();
    }
}
