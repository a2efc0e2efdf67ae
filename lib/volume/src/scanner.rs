//! What a stage can take: claims of dead owners first, then new files in the order of their names.
//!
//! The scan is the truth. What cannot be taken now is passed over, so that it holds up nothing behind it.

mod claims;
mod files;
mod orphans;
mod pass;
mod waiting;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::info;

use self::orphans::Orphans;
use self::pass::Pass;
use self::waiting::Waiting;
use crate::Spec;
use crate::claim::Claim;
use crate::committed::Committed;
use crate::complete::StabilityCheck;
use crate::error::Error;
use crate::names::{Format, PublicName};
use crate::take_over;
use crate::volume::Volume;

/// Times are added to: a setting of a million years must not overflow.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// So many batches may rest for the sake of others: each keeps its lock's file open.
const MOST_RESTING: usize = 256;

/// A stage's view of the volume.
#[derive(Debug)]
pub struct Scanner {
    volume: Volume,
    spec: Spec,
    input: Format,
    settle: Duration,
    /// How old a scan may get while its files are worked through.
    rescan: Duration,
    scanned: Option<Instant>,
    waiting: usize,
    queue: BTreeSet<PublicName>,
    seen: Waiting,
    orphans: Orphans,
    /// Claims whose input turned out to be still written.
    deferred: Vec<(Claim, StabilityCheck)>,
    resting: Vec<Resting>,
    /// How many batches were given out, and whether the last had rested.
    given: u64,
    has_given_resting: bool,
    /// When others' work was looked for, and whether there was any.
    others: Mutex<Option<(Instant, bool)>>,
}

/// A claim that waits for its next attempt.
#[derive(Debug)]
struct Resting {
    claim: Claim,
    until: Instant,
    /// How many batches had been given out when it came to rest.
    since: u64,
}

/// A batch for the caller to work on.
#[derive(Debug)]
pub enum Taken {
    /// To be converted or delivered.
    Ready(Claim),
    /// To be published.
    Committed(Committed),
}

/// What there is to do.
#[derive(Debug)]
pub enum Next {
    /// This.
    Taken(Taken),
    /// Nothing now.
    Nothing {
        /// When waiting alone may have made something ready; `None`: only others can.
        again: Option<Instant>,
    },
}

impl Scanner {
    /// A stage's scanner. `settle`: how long a file must stand still where the system can't tell whether
    /// it is written; `rescan`: after how long the directory is read anew while files of it still wait.
    ///
    /// # Panics
    /// The stage takes no files.
    pub fn new(volume: Volume, spec: Spec, settle: Duration, rescan: Duration) -> Self {
        let input = spec.takes().expect("a scanner is for stages that take files");
        Scanner {
            volume,
            spec,
            input,
            settle: settle.min(LONGEST_WAIT),
            rescan: rescan.min(LONGEST_WAIT),
            scanned: None,
            waiting: 0,
            queue: BTreeSet::new(),
            seen: Waiting::default(),
            orphans: Orphans::default(),
            deferred: Vec::new(),
            resting: Vec::new(),
            given: 0,
            has_given_resting: false,
            others: Mutex::new(None),
        }
    }

    /// How many files waited at the last scan.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Since when the file waits that was seen first, of those that no one had taken at the last scan.
    pub fn oldest_waiting(&self) -> Option<Instant> {
        self.seen.oldest()
    }

    /// Takes the next batch.
    ///
    /// # Errors
    /// The volume failed, and there is nothing that it did not fail for: what else can be taken is taken first. A claim
    /// that it failed for is tried again ever more slowly. Single files that cannot be taken are reported and passed over.
    pub fn next(&mut self, now: Instant) -> Result<Next, Error> {
        // What was seen of others' work is of the batch before.
        self.others = Mutex::default();
        let mut pass = Pass::new(now);
        let next = self.next_in(&mut pass);
        if let Some(spare) = pass.spare.take() {
            spare.remove();
        }
        match next? {
            Some((taken, has_rested)) => {
                pass.tell();
                self.given += 1;
                self.has_given_resting = has_rested;
                Ok(Next::Taken(taken))
            }
            None => pass.failed.map_or(Ok(Next::Nothing { again: pass.again }), Err),
        }
    }

    /// The next batch, and whether it had rested. One that did gets its turn once others had theirs, and then others do:
    /// neither may keep the other waiting for ever.
    fn next_in(&mut self, pass: &mut Pass) -> Result<Option<(Taken, bool)>, Error> {
        if !self.has_given_resting
            && let Some(claim) = self.next_resting(pass.now, self.given)
        {
            return Ok(Some((Taken::Ready(claim), true)));
        }
        if let Some(taken) = self.next_fresh(pass)? {
            return Ok(Some((taken, false)));
        }
        pass.again(self.resting.iter().map(|resting| resting.until).min());
        Ok(self.next_resting(pass.now, u64::MAX).map(|claim| (Taken::Ready(claim), true)))
    }

    /// Older work first.
    fn next_fresh(&mut self, pass: &mut Pass) -> Result<Option<Taken>, Error> {
        if let Some(claim) = self.next_deferred(pass) {
            return Ok(Some(Taken::Ready(claim)));
        }
        if let Some(taken) = self.next_orphan(pass)? {
            return Ok(Some(taken));
        }
        Ok(self.next_file(pass)?.map(Taken::Ready))
    }

    /// Keeps a claim whose input changed while it was read until its writer is done.
    pub fn defer(&mut self, claim: Claim) {
        info!(batch = claim.id(), "the input is still written: it will be read anew");
        self.deferred.push((claim, StabilityCheck::default()));
    }

    /// How many claims wait for their input's writer: no event tells of his end.
    pub fn deferred(&self) -> usize {
        self.deferred.len()
    }

    /// Keeps a claim that has nothing to do before `until`, so that others get their turn.
    pub fn rest(&mut self, claim: Claim, until: Instant) {
        self.resting.push(Resting { claim, until, since: self.given });
    }

    /// How many claims wait for their next attempt.
    pub fn resting(&self) -> usize {
        self.resting.len()
    }

    /// Returns whether the batch in hand keeps others waiting, should it have nothing to do: files, or batches that rested
    /// or were left by their owners. Files are looked for no more often than every `rescan`.
    pub fn others_wait(&self) -> bool {
        let now = Instant::now();
        if self.resting.iter().any(|resting| resting.until <= now) {
            return true;
        }
        if self.resting.len() >= MOST_RESTING {
            return false;
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        match *others {
            Some((looked, waits)) if now < looked + self.rescan => waits,
            _ => {
                let waits = self.look_for_others(now);
                *others = Some((now, waits));
                waits
            }
        }
    }

    fn look_for_others(&self, now: Instant) -> bool {
        // What was complained of cannot be taken, for as long as it is as it is.
        let can_be_taken =
            |name: &PublicName| self.seen.get(name).is_none_or(|seen| seen.complaint.is_none());
        let has_files =
            || self.volume.with_names(self.input, |names| names.iter().any(can_be_taken)).unwrap_or(false);
        let has_orphans = || {
            let claims = take_over::all(&self.volume, self.spec).unwrap_or_default();
            let due = |name| self.orphans.due(&self.volume, self.spec, name, now);
            claims.into_iter().any(|name| matches!(due(name), Ok(Some(due)) if due <= now))
        };
        !self.deferred.is_empty() || has_files() || has_orphans()
    }

    /// Notes that working on a batch failed here: others get their turn, and it is tried again ever more slowly. Returns
    /// when it is tried next.
    pub fn failed(&mut self, batch: &str, now: Instant) -> Instant {
        self.orphans.failed(batch, now)
    }

    /// How many batches failed here, and are not done yet.
    pub fn failing(&self) -> usize {
        self.orphans.failing()
    }

    /// Has a batch left alone from now on, for as long as this scanner lives.
    pub fn leave(&mut self, batch: &str) {
        self.orphans.leave(batch);
    }

    /// The one that waits longest among those that are due and came to rest before so many batches had been given out.
    fn next_resting(&mut self, now: Instant, given: u64) -> Option<Claim> {
        let due = self
            .resting
            .iter()
            .enumerate()
            .filter(|(_, resting)| resting.until <= now && resting.since < given);
        let (index, _) = due.min_by_key(|(_, resting)| resting.until)?;
        Some(self.resting.remove(index).claim)
    }
}

#[cfg(test)]
pub(crate) mod tests;
