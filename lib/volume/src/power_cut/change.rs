//! What happens to a disk, in the model's words.

use super::content::Content;

/// A file or directory.
pub(super) type Node = usize;
/// A directory, and a name in it.
pub(super) type Place = (Node, String);

/// The data directory.
pub(super) const ROOT: Node = 0;

/// Something that happens to a disk.
#[derive(Debug, Clone)]
pub(super) enum Change {
    MadeFile(Place, Content),
    MadeDirectory(Place),
    Moved(Move),
    Written(Node, Content),
    Synced(Node),
    /// All but mode and time.
    DataSynced(Node),
    SyncFailed(Node),
    DirectorySynced(Node),
    /// Someone else wrote a file, and synced all of it.
    Dropped(Place, Content),
    /// Someone else deleted a file's name, and synced that.
    TakenAway(Place),
}

/// A file or directory that comes, goes or changes its name: one unit, or a part of it.
#[derive(Debug, Clone)]
pub(super) struct Move {
    pub(super) node: Node,
    pub(super) from: Option<Place>,
    pub(super) to: Option<Place>,
    pub(super) part: Part,
    has_left: bool,
    has_entered: bool,
}

/// How much of a rename one change is. The parts have a number in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// The file has both names from now on.
    NewName(usize),
    /// It has lost the old one, but not before it got the new one.
    OldName(usize),
}

/// When a rename between two directories is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Once either directory was synced: a rename is one unit, so that neither half is durable without the other.
    Either,
    /// Once the directory that it left was. The new name is durable once that which it entered was, and the old one may
    /// stay beside it.
    OldNameStays,
    /// Once both were.
    Both,
    /// Once the directory that it left was.
    Left,
    /// Once the directory that it entered was.
    Entered,
}

impl Move {
    pub(super) fn new(node: Node, from: Option<Place>, to: Option<Place>) -> Self {
        Move { node, has_left: from.is_none(), has_entered: to.is_none(), from, to, part: Part::Whole }
    }

    /// What happens of it by itself.
    pub(super) fn parts(self, rule: Rule, number: usize) -> Vec<Move> {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) if rule == Rule::OldNameStays && from.0 != to.0 => {
                let part = |part| Move { part, ..self.clone() };
                vec![part(Part::NewName(number)), part(Part::OldName(number))]
            }
            _ => vec![self],
        }
    }

    /// Whether with it all that happened to the file before is durable, and not only that it got its names: Btrfs logs
    /// with a renamed file each directory that it was in.
    pub(super) fn settles_all_before(&self, rule: Rule) -> bool {
        rule != Rule::OldNameStays || !(self.to.is_none() || matches!(self.part, Part::NewName(_)))
    }

    /// Notes that a directory was synced.
    pub(super) fn synced(&mut self, directory: Node) {
        self.has_left |= self.from.as_ref().is_some_and(|place| place.0 == directory);
        self.has_entered |= self.to.as_ref().is_some_and(|place| place.0 == directory);
    }

    pub(super) fn is_durable(&self, rule: Rule) -> bool {
        if self.from.is_none() || self.to.is_none() {
            return self.has_left && self.has_entered;
        }
        match rule {
            Rule::Either => self.has_left || self.has_entered,
            Rule::OldNameStays if matches!(self.part, Part::NewName(_)) => self.has_left || self.has_entered,
            Rule::OldNameStays => self.has_left,
            Rule::Both => self.has_left && self.has_entered,
            Rule::Left => self.has_left,
            Rule::Entered => self.has_entered,
        }
    }
}
