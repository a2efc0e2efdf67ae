//! What lies under the names of the modelled volume.

use std::fmt;

use crate::place::{BLOCK, CLAIMS, GENERATION, IN_CLAIMS, NAMED, OWNERS, Place, Slot, small};
use crate::symmetry::rank;

/// What has which name: 0 nothing. A directory's value is its claim's stage and generation, a lock's tells it from
/// others, any other file's is its content.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Names([u8; IN_CLAIMS + CLAIMS * BLOCK]);

impl Default for Names {
    fn default() -> Self {
        Names([0; IN_CLAIMS + CLAIMS * BLOCK])
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0.iter().enumerate().filter(|(_, value)| **value != 0);
        f.debug_map().entries(all.map(|(index, value)| (Place::new(index), value))).finish()
    }
}

impl Names {
    pub(crate) fn get(&self, place: Place) -> u8 {
        self.0[usize::from(place.0)]
    }

    pub(crate) fn has(&self, place: Place) -> bool {
        self.get(place) != 0
    }

    pub(crate) fn set(&mut self, place: Place, value: u8) {
        self.0[usize::from(place.0)] = value;
    }

    /// What is not in a claim.
    pub(crate) fn outside(&self) -> &[u8] {
        &self.0[..IN_CLAIMS]
    }

    /// A claim's names, its own first.
    pub(crate) fn block(&self, claim: usize) -> &[u8] {
        &self.0[IN_CLAIMS + claim * BLOCK..][..BLOCK]
    }

    pub(crate) fn is_free(&self, claim: usize) -> bool {
        self.block(claim) == [0; BLOCK]
    }

    /// The generations that a claim's names tell of, a bit each.
    pub(crate) fn generations(&self, claim: usize) -> u16 {
        let block = self.block(claim);
        let mut all = 1 << (block[0] & GENERATION);
        if block[NAMED..] == [0; BLOCK - NAMED] {
            return all;
        }
        for (slot, value) in block[NAMED..].iter().enumerate() {
            if *value != 0 {
                all |= 2 << (slot % usize::from(OWNERS));
            }
        }
        all
    }

    pub(crate) fn renumber(&mut self, claim: usize, owners: u16, locks: u16) {
        let start = IN_CLAIMS + claim * BLOCK;
        let old = self.clone();
        self.clear_claim(claim);
        for (slot, value) in old.block(claim).iter().enumerate().filter(|(_, value)| **value != 0) {
            let place = Place::new(start + slot).renumbered(claim, owners);
            let value = match slot {
                0 => value & !GENERATION | rank(owners, value & GENERATION),
                1 => rank(locks, *value),
                _ => *value,
            };
            self.set(place, value);
        }
    }

    /// A directory whose name is lost takes what is in it along.
    pub(crate) fn drop_unreachable(&mut self) {
        for claim in 0..CLAIMS {
            if !self.has(Place::claim(claim, Slot::Directory)) {
                self.clear_claim(claim);
            }
        }
    }

    pub(crate) fn clear_claim(&mut self, claim: usize) {
        self.0[IN_CLAIMS + claim * BLOCK..][..BLOCK].fill(0);
    }
}

/// A file's content: which file's records, and how much of them; two versions only of what a person writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Content {
    pub(crate) file: usize,
    pub(crate) version: u8,
}

/// Not yet written, or torn by a power cut.
pub(crate) const PARTIAL: u8 = 0;
pub(crate) const WHOLE: u8 = 1;

impl Content {
    pub(crate) fn of(value: u8) -> Option<Self> {
        let file = usize::from(value & 0b11).checked_sub(1)?;
        Some(Content { file, version: value >> 2 })
    }

    pub(crate) fn value(self) -> u8 {
        small(self.file + 1) | self.version << 2
    }
}
