//! States that differ only in which worker of a stage, or which claim, is which, or in how many owners a claim has
//! had, are one.

use std::hash::{Hash, Hasher};

use crate::disk::Change;
use crate::explore::Mixer;
use crate::place::{BLOCK, CLAIMS, Place};
use crate::state::{State, Worker};

impl State {
    /// Numbers a claim's generations and locks anew, in their order: nothing depends on more than that, and states
    /// that differ in what is forgotten become one.
    pub(crate) fn renumber(&mut self, claim: usize) {
        let (owners, locks) = (self.generations(claim), self.locks(claim));
        if is_dense(owners) && is_dense(locks) {
            return;
        }
        self.disk.renumber(claim, owners, locks);
        for worker in self.workers.iter_mut().filter(|worker| worker.is_in(claim)) {
            worker.generation = rank(owners, worker.generation);
            worker.lock = rank(locks, worker.lock);
        }
    }

    fn generations(&self, claim: usize) -> u16 {
        let known = self.workers.iter().filter(|worker| worker.is_in(claim));
        known.fold(self.disk.generations(claim), |all, worker| all | 1 << worker.generation)
    }

    fn locks(&self, claim: usize) -> u16 {
        let known = self.workers.iter().filter(|worker| worker.is_in(claim));
        known.fold(self.disk.locks(claim), |all, worker| all | 1 << worker.lock)
    }

    /// The same for states that differ only in which worker of a stage, or which claim, is which.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut workers = [0; CLAIMS];
        let mut all = 0_u64;
        for worker in &self.workers {
            let anonymous = Mixer::of(&Worker { claim: 0, ..*worker });
            let sum = workers.get_mut(usize::from(worker.claim)).unwrap_or(&mut all);
            *sum = sum.wrapping_add(anonymous);
        }
        for (claim, workers) in workers.into_iter().enumerate() {
            let keys = self.keys(claim);
            if workers != 0 || keys != 0 || !self.disk.is_free(claim) {
                all = all.wrapping_add(self.claim_fingerprint(claim, workers, keys));
            }
        }
        let mut rest = Mixer::default();
        rest.write_u64(all);
        rest.write(self.disk.seen.outside());
        if self.faults.cuts > 0 {
            rest.write(self.disk.durable.outside());
            // Those in claims go with their claims: each at its place in the order.
            for (index, change) in self.disk.pending.iter().enumerate() {
                if change.places().iter().all(|place| place.in_claim().is_none()) {
                    (index, change).hash(&mut rest);
                }
            }
        }
        (self.person, self.faults, self.promises, self.flaw.is_some()).hash(&mut rest);
        rest.finish()
    }

    /// The files whose documents were posted with a claim's key, a bit each.
    fn keys(&self, claim: usize) -> u8 {
        let mut files = 0;
        for (file, key) in self.key.iter().enumerate() {
            files |= u8::from(usize::from(*key) == claim) << file;
        }
        files
    }

    fn claim_fingerprint(&self, claim: usize, workers: u64, keys: u8) -> u64 {
        let mut mixer = Mixer::default();
        mixer.write_u64(workers);
        mixer.write_u8(keys);
        mixer.write(self.disk.seen.block(claim));
        if self.faults.cuts > 0 {
            mixer.write(self.disk.durable.block(claim));
            for (index, change) in self.disk.pending.iter().enumerate() {
                let places = change.places().map(Place::in_claim);
                if places.iter().flatten().any(|(other, _)| *other == claim) {
                    let local = |place: Place| {
                        place.in_claim().map_or((BLOCK, Some(place)), |(_, slot)| (slot, None))
                    };
                    let value = match change {
                        Change::Put(_, value) => (1, *value),
                        Change::Content(_, value) => (2, *value),
                        Change::Move(..) => (3, 0),
                        Change::Remove(_) => (4, 0),
                    };
                    (index, change.places().map(local), value).hash(&mut mixer);
                }
            }
        }
        mixer.finish()
    }
}

/// Whether a set of numbers has no gaps; 0 means none.
fn is_dense(numbers: u16) -> bool {
    let numbers = numbers | 1;
    numbers & (numbers + 1) == 0
}

/// A number's place in a set; 0 stays 0.
pub(crate) fn rank(numbers: u16, number: u8) -> u8 {
    let below = (numbers & !1) & ((1 << number) | ((1 << number) - 1));
    u8::try_from(below.count_ones()).expect("few numbers")
}
