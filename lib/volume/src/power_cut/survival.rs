//! Which of the changes that nobody synced a power cut spares.

use fastrand::Rng;

/// What survives one cut: it is asked about one change after the other.
#[derive(Debug)]
pub(super) struct Survival {
    how: How,
    asked: usize,
    pub(super) rng: Rng,
}

/// How a cut chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Everything is lost.
    Nothing,
    /// Everything is kept.
    Everything,
    /// The change of this number alone is kept.
    Only(usize),
    /// The change of this number alone is lost.
    AllBut(usize),
    /// Each is kept with this chance, of 8; contents also tear.
    Chance(u8),
}

impl Survival {
    pub(super) fn new(how: How) -> Self {
        Survival { how, asked: 0, rng: Rng::with_seed(0) }
    }

    /// Draws any subset; those that keep nearly nothing or nearly everything more often than chance would.
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let chance = [0, 1, 4, 4, 7, 8][rng.usize(..6)];
        Survival { how: How::Chance(chance), asked: 0, rng: rng.fork() }
    }

    /// Whether the next change is kept.
    pub(super) fn keeps(&mut self) -> bool {
        let number = self.asked;
        self.asked += 1;
        match self.how {
            How::Nothing => false,
            How::Everything => true,
            How::Only(one) => number == one,
            How::AllBut(one) => number != one,
            How::Chance(chance) => self.rng.u8(..8) < chance,
        }
    }

    /// How many changes there were to choose from.
    pub(super) fn asked(&self) -> usize {
        self.asked
    }

    /// Whether what is lost of a file may be lost in part.
    pub(super) fn tears(&self) -> bool {
        matches!(self.how, How::Chance(_))
    }
}
