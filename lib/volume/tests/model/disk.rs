//! The volume: what has which name, as everyone sees it and as a power cut would leave it.

use crate::names::Names;
use crate::place::{CLAIMS, Directory, GENERATION, Place, Slot};
use crate::symmetry::rank;

/// One change of names or of a content, as it waits to become durable. A rename is one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    /// A name appears, or a directory has another one.
    Put(Place, u8),
    Move(Place, Place),
    Remove(Place),
    /// What was written to the file of this name.
    Content(Place, u8),
}

impl Change {
    pub(crate) fn places(self) -> [Place; 2] {
        match self {
            Change::Put(place, _) | Change::Remove(place) | Change::Content(place, _) => [place; 2],
            Change::Move(from, to) => [from, to],
        }
    }

    fn generations(self, claim: usize) -> u16 {
        let directory = match self {
            Change::Put(place, value) if place == Place::claim(claim, Slot::Directory) => {
                1 << (value & GENERATION)
            }
            _ => 0,
        };
        self.places()
            .into_iter()
            .filter_map(|place| place.generation(claim))
            .fold(directory, |all, own| all | 1 << own)
    }

    fn renumbered(self, claim: usize, owners: u16, locks: u16) -> Self {
        let place = |place: Place| place.renumbered(claim, owners);
        let value = |at: Place, value| match at.in_claim() {
            Some((other, 0)) if other == claim => value & !GENERATION | rank(owners, value & GENERATION),
            Some((other, 1)) if other == claim => rank(locks, value),
            _ => value,
        };
        match self {
            Change::Put(at, put) => Change::Put(place(at), value(at, put)),
            Change::Move(from, to) => Change::Move(place(from), place(to)),
            Change::Remove(at) => Change::Remove(place(at)),
            Change::Content(at, content) => Change::Content(place(at), content),
        }
    }

    fn made(self) -> Option<Place> {
        match self {
            Change::Put(place, _) => Some(place),
            _ => None,
        }
    }

    fn apply(self, names: &mut Names) {
        match self {
            Change::Put(place, value) => names.set(place, value),
            Change::Remove(place) => names.set(place, 0),
            Change::Move(from, to) => {
                names.set(to, names.get(from));
                names.set(from, 0);
            }
            Change::Content(place, value) if names.has(place) => names.set(place, value),
            Change::Content(..) => {}
        }
    }

    /// Whether a change cannot outlive a cut that undoes `earlier`: both are of the same file, or of the same name.
    /// A content is its file's own affair: a name survives without it.
    fn rests_on(self, earlier: Change) -> bool {
        !matches!(earlier, Change::Content(..))
            && self.places().iter().any(|place| earlier.places().contains(place))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) seen: Names,
    /// What a power cut leaves for certain.
    pub(crate) durable: Names,
    /// What it may leave, in its order.
    pub(crate) pending: Vec<Change>,
    /// Where there are no cuts nothing else than what is seen matters.
    has_cuts: bool,
}

impl Disk {
    /// A volume on which all of `names` is durable.
    pub(crate) fn new(names: Names, has_cuts: bool) -> Self {
        let durable = if has_cuts { names.clone() } else { Names::default() };
        Disk { seen: names, durable, pending: Vec::new(), has_cuts }
    }

    pub(crate) fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        if self.has_cuts {
            self.pending.push(change);
        }
    }

    /// A name that is durable at once.
    pub(crate) fn appear(&mut self, place: Place, value: u8) {
        self.seen.set(place, value);
        if self.has_cuts {
            self.durable.set(place, value);
        }
    }

    /// `fsync` of a directory: its names are durable, and what they rest on.
    pub(crate) fn sync_directory(&mut self, directory: Directory) {
        let mut now = vec![false; self.pending.len()];
        for (index, change) in self.pending.iter().enumerate().rev() {
            let later = index + 1..self.pending.len();
            now[index] = !matches!(change, Change::Content(..))
                && (directory.holds(*change)
                    || later.into_iter().any(|later| now[later] && self.pending[later].rests_on(*change)));
        }
        let mut flags = now.iter();
        self.pending.retain(|change| {
            let is_durable = *flags.next().expect("a flag for each");
            if is_durable {
                change.apply(&mut self.durable);
            }
            !is_durable
        });
        self.forget_contents();
        (0..CLAIMS).for_each(|claim| self.forget_claim(claim));
    }

    /// What a directory held that is gone for good: no cut brings it back.
    fn forget_claim(&mut self, claim: usize) {
        let directory = Place::claim(claim, Slot::Directory);
        let is_in = |place: Place| place.in_claim().is_some_and(|(other, _)| other == claim);
        let is_pending = self.pending.iter().any(|change| change.places().contains(&directory));
        if is_pending || self.seen.has(directory) || self.durable.has(directory) {
            return;
        }
        self.pending.retain(|change| !change.places().into_iter().all(is_in));
        if !self.pending.iter().any(|change| change.places().into_iter().any(is_in)) {
            self.durable.clear_claim(claim);
        }
    }

    /// What was written to a file that has moved on or is gone: without a sync it is torn from now on.
    fn forget_contents(&mut self) {
        let made: Vec<Place> = self.pending.iter().filter_map(|change| change.made()).collect();
        let durable = &self.durable;
        self.pending.retain(|change| match change {
            Change::Content(place, _) => durable.has(*place) || made.contains(place),
            _ => true,
        });
    }

    /// `fsync` of a file that is still where it was made: its content is durable wherever its name is.
    pub(crate) fn sync_file(&mut self, place: Place) {
        let value = self.seen.get(place);
        if self.durable.has(place) {
            self.durable.set(place, value);
        }
        for change in &mut self.pending {
            if change.made() == Some(place) {
                *change = Change::Put(place, value);
            }
        }
        self.pending.retain(|change| !matches!(change, Change::Content(written, _) if *written == place));
    }

    pub(crate) fn is_free(&self, claim: usize) -> bool {
        self.seen.is_free(claim) && self.durable.is_free(claim)
    }

    /// The generations that a claim's names tell of, a bit each.
    pub(crate) fn generations(&self, claim: usize) -> u16 {
        let pending = self.pending.iter().fold(0, |all, change| all | change.generations(claim));
        self.seen.generations(claim) | self.durable.generations(claim) | pending
    }

    /// The lock files that a claim has, or may have after a cut, a bit each.
    pub(crate) fn locks(&self, claim: usize) -> u16 {
        let place = Place::claim(claim, Slot::Lock);
        let pending = self.pending.iter().fold(0, |all, change| match change {
            Change::Put(lock, value) if *lock == place => all | 1 << value,
            _ => all,
        });
        1 << self.seen.get(place) | 1 << self.durable.get(place) | pending
    }

    pub(crate) fn renumber(&mut self, claim: usize, owners: u16, locks: u16) {
        self.seen.renumber(claim, owners, locks);
        self.durable.renumber(claim, owners, locks);
        for change in &mut self.pending {
            *change = change.renumbered(claim, owners, locks);
        }
    }

    /// The power is cut: what is durable is left, and any of what is pending that does not rest on something lost.
    pub(crate) fn cuts(&self) -> Vec<Names> {
        let mut left = Vec::new();
        self.add_cuts(0, &mut Vec::new(), &self.durable, &mut left);
        left
    }

    fn add_cuts(&self, index: usize, lost: &mut Vec<Change>, names: &Names, left: &mut Vec<Names>) {
        let Some(change) = self.pending.get(index) else {
            let mut names = names.clone();
            names.drop_unreachable();
            if !left.contains(&names) {
                left.push(names);
            }
            return;
        };
        lost.push(*change);
        self.add_cuts(index + 1, lost, names, left);
        lost.pop();
        if !lost.iter().any(|lost| change.rests_on(*lost)) {
            let mut names = names.clone();
            change.apply(&mut names);
            self.add_cuts(index + 1, lost, &names, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{Content, PARTIAL, WHOLE};
    use crate::place::{Own, Public};

    const HALF: Content = Content { file: 0, version: PARTIAL };
    const FULL: Content = Content { version: WHOLE, ..HALF };

    fn own() -> Place {
        Place::claim(0, Slot::Own(Own::Output, 1))
    }

    fn public() -> Place {
        Place::public(1, Public::Plain)
    }

    /// A file made, written and renamed in a directory that is durable.
    fn published() -> Disk {
        let mut names = Names::default();
        names.set(Place::claim(0, Slot::Directory), 1);
        let mut disk = Disk::new(names, true);
        disk.change(Change::Put(own(), HALF.value()));
        disk.change(Change::Content(own(), FULL.value()));
        disk.change(Change::Move(own(), public()));
        disk
    }

    /// What a cut can leave under the two names.
    fn left(disk: &Disk) -> Vec<(u8, u8)> {
        let mut left: Vec<_> =
            disk.cuts().iter().map(|names| (names.get(own()), names.get(public()))).collect();
        left.sort_unstable();
        left
    }

    #[test]
    fn any_unsynced_change_can_be_lost_but_not_what_another_rests_on() {
        let (half, full) = (HALF.value(), FULL.value());
        assert_eq!(left(&published()), [(0, 0), (0, half), (0, full), (half, 0), (full, 0)]);
    }

    #[test]
    fn a_directories_sync_keeps_names_and_no_content() {
        let mut disk = published();
        disk.sync_directory(Directory::Data);
        assert_eq!(left(&disk), [(0, HALF.value())]);
    }

    #[test]
    fn a_files_sync_keeps_its_content_and_no_name() {
        let mut disk = Disk::new(published().durable, true);
        disk.change(Change::Put(own(), HALF.value()));
        disk.change(Change::Content(own(), FULL.value()));
        disk.sync_file(own());
        assert_eq!(left(&disk), [(0, 0), (FULL.value(), 0)]);
    }

    #[test]
    fn a_directory_that_is_lost_takes_its_files_along() {
        let mut disk = Disk::new(Names::default(), true);
        disk.change(Change::Put(Place::claim(0, Slot::Directory), 1));
        disk.appear(public(), FULL.value());
        disk.change(Change::Move(public(), own()));
        let mut left = left(&disk);
        left.dedup();
        assert_eq!(left, [(0, 0), (0, FULL.value()), (FULL.value(), 0)]);
    }
}
