//! Claims that lie on the volume: orphans, and those that were deferred.

use tracing::{info, warn};

use super::{Pass, Scanner, Taken};
use crate::claim::Claim;
use crate::complete::{Completeness, StabilityCheck};
use crate::error::Error;
use crate::names::ClaimName;
use crate::take_over::{self, TakenOver};

impl Scanner {
    /// The first whose input's writer is done.
    pub(super) fn next_deferred(&mut self, pass: &mut Pass) -> Option<Claim> {
        let mut ready = None;
        for (mut claim, mut check) in std::mem::take(&mut self.deferred) {
            if ready.is_some() {
                self.deferred.push((claim, check));
                continue;
            }
            let id = claim.id();
            let Some(look) = self.unless_failed(&id, claim.look_at_input(), pass) else { continue };
            match check.judge(look, pass.now, self.settle) {
                Completeness::Take(fingerprint) => {
                    claim.judged = Some(fingerprint);
                    ready = Some(claim);
                }
                Completeness::Wait { until } => {
                    pass.again(until);
                    self.deferred.push((claim, check));
                }
                Completeness::Leave(reason) => self.give_back(claim, &reason, pass),
                // Only a takeover moves a claim's input.
                Completeness::Gone => drop(claim),
            }
        }
        ready
    }

    /// Takes over one orphan, the oldest that is due: each replica gets its share, and a batch that ends its owners
    /// drags no other along.
    pub(super) fn next_orphan(&mut self, pass: &mut Pass) -> Result<Option<Taken>, Error> {
        let mut claims = take_over::all(&self.volume, self.spec)?;
        claims.sort_unstable_by_key(|name| name.batch);
        self.orphans.retain(&claims);
        for name in claims {
            if !self.is_due(name, pass) {
                continue;
            }
            let taken = Claim::take_over(&self.volume, self.spec, name);
            match self.unless_failed(&name.to_string(), taken, pass).flatten() {
                None => {}
                Some(TakenOver::Committed(committed)) => return Ok(Some(Taken::Committed(committed))),
                Some(TakenOver::Leftover(claim)) => self.tidy(claim, pass),
                Some(TakenOver::Uncommitted(claim)) => {
                    info!(batch = claim.id(), "carrying on with a batch that its owner left");
                    // Its first owner judged the input complete, but may have died before it could look twice.
                    self.deferred.push((claim, StabilityCheck::default()));
                    if let Some(claim) = self.next_deferred(pass) {
                        return Ok(Some(Taken::Ready(claim)));
                    }
                }
            }
        }
        Ok(None)
    }

    fn is_due(&mut self, name: ClaimName, pass: &mut Pass) -> bool {
        let due = match self.orphans.due(&self.volume, self.spec, name, pass.now) {
            // No other try will do better, and what else waits must not wait for it.
            Err(error) if error.is_for_good() => {
                self.orphans.leave_for_good(name, &error);
                return false;
            }
            due => self.unless_failed(&name.to_string(), due, pass).flatten(),
        };
        let Some(due) = due else { return false };
        self.orphans.see(name, pass.now);
        if pass.now < due {
            pass.again(Some(due));
        }
        pass.now >= due
    }

    /// Removes a claim in which nothing is left; one that cannot be removed is not tried again.
    fn tidy(&mut self, claim: Claim, pass: &mut Pass) {
        let id = claim.id();
        let cleared = claim.directory.clear(&[]);
        if self.unless_failed(&id, cleared, pass).is_some() && !claim.remove() {
            self.leave(&id);
        }
    }

    fn give_back(&mut self, claim: Claim, reason: &str, pass: &mut Pass) {
        warn!(batch = claim.id(), "given back: it {reason}");
        let id = claim.id();
        self.unless_failed(&id, claim.put_back(), pass);
    }

    /// A failure that concerns one claim only: it is tried again later, and others are tried before it is told.
    fn unless_failed<T>(&mut self, batch: &str, result: Result<T, Error>, pass: &mut Pass) -> Option<T> {
        if result.as_ref().is_err_and(|error| !error.is_fenced()) {
            self.orphans.failed(batch, pass.now);
        }
        pass.unless_failed(result)
    }
}
