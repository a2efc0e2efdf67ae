//! Every name that can be on the modelled volume.

use std::fmt;

use crate::disk::Change;
use crate::symmetry::rank;

/// Batches of records that travel.
pub(crate) const FILES: usize = 2;
/// Directories of claims at a time.
pub(crate) const CLAIMS: usize = 6;
/// Owners that a claim can have in turn.
pub(crate) const OWNERS: u8 = 6;
/// What the converter takes, and what the deliverer takes from it.
const EXTENSIONS: usize = 2;

/// The bits of a directory's value that are its generation; the others are its stage.
pub(crate) const GENERATION: u8 = 0xf;
/// The names in a claim that end in no generation, and its own.
pub(crate) const NAMED: usize = 6;

const IN_REJECTED: usize = EXTENSIONS * (1 + FILES);
pub(crate) const IN_CLAIMS: usize = IN_REJECTED + 2 * FILES;
/// The names in a claim, and its own.
pub(crate) const BLOCK: usize = NAMED + 5 * OWNERS as usize;

/// A name in one of the directories.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Place(pub(crate) u8);

/// What an owner makes under a name of its own, which ends in its generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Own {
    Output,
    Rejected,
    Reasons,
    Journal,
    /// `journal.<generation>.<number>.new`
    NewJournal,
}

/// A name in a claim, or (`Directory`) that of the claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Slot {
    Directory,
    Lock,
    Input,
    Output,
    Rejected,
    Reasons,
    Own(Own, u8),
}

/// A public name: the plain one, or that with the id of the file's batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Public {
    Plain,
    Id(usize),
}

impl Public {
    pub(crate) const ALL: [Public; 1 + FILES] = [Public::Plain, Public::Id(0), Public::Id(1)];
}

impl Place {
    pub(crate) fn new(index: usize) -> Self {
        Place(small(index))
    }

    pub(crate) fn public(extension: u8, name: Public) -> Self {
        let name = match name {
            Public::Plain => 0,
            Public::Id(file) => 1 + file,
        };
        Place::new(usize::from(extension) * (1 + FILES) + name)
    }

    pub(crate) fn rejected(file: usize) -> Self {
        Place::new(IN_REJECTED + file)
    }

    pub(crate) fn reasons(file: usize) -> Self {
        Place::new(IN_REJECTED + FILES + file)
    }

    pub(crate) fn claim(claim: usize, slot: Slot) -> Self {
        let slot = match slot {
            Slot::Directory => 0,
            Slot::Lock => 1,
            Slot::Input => 2,
            Slot::Output => 3,
            Slot::Rejected => 4,
            Slot::Reasons => 5,
            Slot::Own(own, generation) => {
                NAMED + own as usize * usize::from(OWNERS) + usize::from(generation) - 1
            }
        };
        debug_assert!(slot < BLOCK, "more owners in turn than the table holds");
        Place::new(IN_CLAIMS + claim * BLOCK + slot)
    }

    /// The claim that a place is in, and where in it.
    pub(crate) fn in_claim(self) -> Option<(usize, usize)> {
        let index = usize::from(self.0).checked_sub(IN_CLAIMS)?;
        Some((index / BLOCK, index % BLOCK))
    }

    /// The generation that a name in a claim ends in.
    pub(crate) fn generation(self, claim: usize) -> Option<u8> {
        let (other, slot) = self.in_claim()?;
        let own = slot.checked_sub(NAMED).filter(|_| other == claim)?;
        Some(small(own) % OWNERS + 1)
    }

    pub(crate) fn renumbered(self, claim: usize, owners: u16) -> Self {
        let Some(generation) = self.generation(claim) else { return self };
        Place(self.0 - generation + rank(owners, generation))
    }

    fn is_rejected(self) -> bool {
        (IN_REJECTED..IN_CLAIMS).contains(&usize::from(self.0))
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let index = usize::from(self.0);
        let named = ["", "/lock", "/input", "/output", "/rejected", "/reasons"];
        let own = ["output", "rejected", "reasons", "journal", "journal.new"];
        match self.in_claim() {
            None if self.is_rejected() => write!(f, "rejected/{}", index - IN_REJECTED),
            None => write!(f, "{}/{}", ["txt", "csv"][index / (1 + FILES)], index % (1 + FILES)),
            Some((claim, slot)) => match slot.checked_sub(NAMED) {
                None => write!(f, "claim {claim}{}", named[slot]),
                Some(slot) => {
                    let (own, owner) = (own[slot / usize::from(OWNERS)], slot % usize::from(OWNERS) + 1);
                    write!(f, "claim {claim}/{own}.{owner}")
                }
            },
        }
    }
}

/// A directory to sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Directory {
    Data,
    Rejected,
    /// That of a stage's claims.
    Claims,
    Claim(usize),
}

impl Directory {
    /// Whether a change is of the names in the directory.
    pub(crate) fn holds(self, change: Change) -> bool {
        change.places().into_iter().any(|place| match (self, place.in_claim()) {
            (Directory::Data, None) => !place.is_rejected(),
            (Directory::Rejected, None) => place.is_rejected(),
            (Directory::Claims, Some((_, slot))) => slot == 0,
            (Directory::Claim(claim), Some((other, slot))) => claim == other && slot != 0,
            _ => false,
        })
    }
}

/// A number of the model's: there is little of anything in it.
pub(crate) fn small(number: usize) -> u8 {
    u8::try_from(number).expect("little of everything")
}
