//! Claims without an owner, and when they are tried next.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use tracing::warn;
use uuid::Uuid;

use crate::Spec;
use crate::error::Error;
use crate::names::ClaimName;
use crate::take_over::{self, Owner};
use crate::volume::Volume;

/// Takeovers that follow at once: a few replicas may end within a moment, as in a rolling update.
const PROMPT_GENERATIONS: u32 = 3;
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// A claim is without lock for an instant when it is made and when it is removed: nobody is in the way then.
const LOCKLESS_PAUSE: Duration = Duration::from_secs(1);

/// What a scanner remembers of claims that it may take over.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    /// Since when they are known to have no owner.
    since: HashMap<ClaimName, Instant>,
    /// How often working on a batch failed here, and until when it is left alone for that.
    failures: HashMap<Uuid, (u32, Instant)>,
    /// Those that are not tried again.
    left: HashSet<Uuid>,
}

impl Orphans {
    /// Returns when a claim may be taken over: one that ends each of its owners, or fails here, ever more slowly. `None`:
    /// it has an owner, or is left alone.
    pub(super) fn due(
        &self,
        volume: &Volume,
        spec: Spec,
        name: ClaimName,
        now: Instant,
    ) -> Result<Option<Instant>, Error> {
        if self.left.contains(&name.batch) {
            return Ok(None);
        }
        let pause = match take_over::owner(volume, spec, name)? {
            Owner::Some => return Ok(None),
            Owner::None => backoff(name.generation),
            Owner::NoLock => backoff(name.generation).max(LOCKLESS_PAUSE),
        };
        let due = self.since.get(&name).copied().unwrap_or(now) + pause;
        let failed = self.failures.get(&name.batch).map(|(_, until)| *until);
        Ok(Some(failed.map_or(due, |until| due.max(until))))
    }

    /// Notes that a claim has no owner.
    pub(super) fn see(&mut self, name: ClaimName, now: Instant) {
        self.since.entry(name).or_insert(now);
    }

    /// Forgets those that are gone.
    pub(super) fn retain(&mut self, claims: &[ClaimName]) {
        self.since.retain(|name, _| claims.contains(name));
        self.failures.retain(|batch, _| claims.iter().any(|name| name.batch == *batch));
    }

    /// Notes a failure; returns when the batch is tried next.
    pub(super) fn failed(&mut self, batch: &str, now: Instant) -> Instant {
        let Some(name) = ClaimName::parse(batch.as_ref()) else { return now };
        let failures = self.failures.get(&name.batch).map_or(1, |(failures, _)| failures.saturating_add(1));
        let pause = backoff(PROMPT_GENERATIONS.saturating_add(failures)).max(backoff(name.generation));
        self.since.insert(name, now);
        self.failures.insert(name.batch, (failures, now + pause));
        now + pause
    }

    pub(super) fn failing(&self) -> usize {
        self.failures.len()
    }

    pub(super) fn leave(&mut self, batch: &str) {
        if let Some(name) = ClaimName::parse(batch.as_ref()) {
            self.left.insert(name.batch);
        }
    }

    /// Leaves alone what no try can take.
    pub(super) fn leave_for_good(&mut self, name: ClaimName, error: &Error) {
        self.left.insert(name.batch);
        match error {
            Error::NoDirectory { .. } => {
                warn!(claim = %name, "left alone: it is no directory, and may lead out of the volume")
            }
            _ => {
                warn!(claim = %name, error = error as &dyn std::error::Error, "left alone until the next start")
            }
        }
    }
}

/// How long an orphan of this generation rests before it is taken over.
fn backoff(generation: u32) -> Duration {
    match generation.checked_sub(PROMPT_GENERATIONS + 1) {
        None => Duration::ZERO,
        Some(doublings) => Duration::from_secs(1 << doublings.min(10)).min(LONGEST_BACKOFF),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takeovers_back_off_as_generations_grow() {
        let seconds: Vec<u64> = (1..=10).map(|generation| backoff(generation).as_secs()).collect();
        assert_eq!(seconds, [0, 0, 0, 1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(backoff(u32::MAX), LONGEST_BACKOFF);
    }
}
