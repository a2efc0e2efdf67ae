//! What one look for a batch has come to know.

use std::time::Instant;

use tracing::warn;

use crate::claim::Claim;
use crate::error::Error;

/// One pass over what a stage could take.
pub(super) struct Pass {
    pub(super) now: Instant,
    /// The earliest time at which waiting alone may have made something ready.
    pub(super) again: Option<Instant>,
    /// The first failure that concerned one claim only: others are tried before it is told.
    pub(super) failed: Option<Error>,
    /// An empty claim: whoever loses the race for a file tries the next with it, since a claim costs a sync.
    pub(super) spare: Option<Claim>,
}

fn pass_over(error: &Error) {
    warn!(error = error as &dyn std::error::Error, "passed over");
}

impl Pass {
    pub(super) fn new(now: Instant) -> Self {
        Pass { now, again: None, failed: None, spare: None }
    }

    pub(super) fn again(&mut self, at: Option<Instant>) {
        self.again = self.again.into_iter().chain(at).min();
    }

    pub(super) fn unless_failed<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => return Some(value),
            Err(error) if error.is_fenced() => warn!("{error}"),
            Err(error) if self.failed.is_none() => self.failed = Some(error),
            Err(error) => pass_over(&error),
        }
        None
    }

    /// Tells of a failure that nobody else is told of, since something could be taken all the same.
    pub(super) fn tell(self) {
        if let Some(error) = self.failed {
            pass_over(&error);
        }
    }
}
