//! A model of a disk: what is durable, what is not yet, and what a power cut leaves.
//!
//! Every change of a directory is one file's or directory's move: from nowhere (it is made), to nowhere (it is deleted), or
//! from one name to another. A move is one unit, unless the rule parts a rename in two. Of the moves that are not synced a power cut leaves any, but that one
//! of a file is void without the moves of the same file before it. A synced file whose name is not durable is lost with
//! it, and so is what lies in such a directory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::change::{Change, Move, Node, Part, Place, ROOT, Rule};
use super::content::Content;
use super::survival::Survival;

/// What a disk holds.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    rule: Rule,
    nodes: Vec<State>,
    names: BTreeMap<Place, Node>,
    pending: Vec<Move>,
    renames: usize,
    /// The renames of which the new name is durable.
    renamed: BTreeSet<usize>,
}

#[derive(Debug, Clone)]
struct State {
    /// The durable name, or names.
    places: BTreeSet<Place>,
    /// `None`: a directory.
    file: Option<Versions>,
}

#[derive(Debug, Clone)]
struct Versions {
    synced: Content,
    now: Content,
    /// A sync failed: what it did not make durable, no later one does.
    is_spoilt: bool,
}

impl Versions {
    fn sync(&mut self, synced: Content) {
        if !self.is_spoilt {
            self.synced = synced;
        }
    }
}

impl Disk {
    pub(super) fn new(rule: Rule) -> Self {
        let root = State { places: BTreeSet::new(), file: None };
        debug_assert_eq!(ROOT, 0, "it is the first");
        let (names, renamed) = (BTreeMap::new(), BTreeSet::new());
        Disk { rule, nodes: vec![root], names, pending: Vec::new(), renames: 0, renamed }
    }

    /// An empty disk of the same kind.
    pub(super) fn another(&self) -> Self {
        Disk::new(self.rule)
    }

    /// Adds a file, or a directory, that is durable.
    pub(super) fn hold(&mut self, place: Place, file: Option<Content>) -> Node {
        let node = self.add(file.map(|now| Versions { synced: now.clone(), now, is_spoilt: false }));
        self.settle(Move::new(node, None, Some(place)));
        node
    }

    /// Gives a file another name, durably.
    pub(super) fn link(&mut self, node: Node, place: Place) {
        self.nodes[node].places.insert(place.clone());
        self.names.insert(place, node);
    }

    /// What lies in a directory, durably.
    pub(super) fn children(&self, directory: Node) -> impl Iterator<Item = (&str, Node)> {
        let all = (directory, String::new())..(directory + 1, String::new());
        self.names.range(all).map(|(place, node)| (place.1.as_str(), *node))
    }

    /// A file's durable content; `None` for a directory.
    pub(super) fn content(&self, node: Node) -> Option<&Content> {
        self.nodes[node].file.as_ref().map(|versions| &versions.synced)
    }

    /// Every file that is durable, by its path.
    pub(super) fn files(&self) -> BTreeMap<PathBuf, Content> {
        let mut files = BTreeMap::new();
        let mut directories = vec![(ROOT, PathBuf::new())];
        while let Some((directory, path)) = directories.pop() {
            for (name, node) in self.children(directory) {
                match self.content(node) {
                    Some(content) => drop(files.insert(path.join(name), content.clone())),
                    None => directories.push((node, path.join(name))),
                }
            }
        }
        files
    }

    /// Whether a file has two names, durably.
    pub(super) fn has_two_names(&self) -> bool {
        self.nodes.iter().any(|state| state.places.len() > 1)
    }

    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::MadeFile(place, now) => {
                let synced = Content { bytes: Vec::new(), ..now.clone() };
                self.make(place, Some(Versions { synced, now, is_spoilt: false }));
            }
            Change::MadeDirectory(place) => self.make(place, None),
            Change::Moved(change) => {
                self.renames += 1;
                self.pending.extend(change.parts(self.rule, self.renames));
            }
            Change::Written(file, now) => self.file(file).now = now,
            Change::Synced(file) => {
                let file = self.file(file);
                file.sync(file.now.clone());
            }
            Change::DataSynced(file) => {
                let file = self.file(file);
                file.sync(Content { bytes: file.now.bytes.clone(), ..file.synced.clone() });
            }
            Change::SyncFailed(file) => self.file(file).is_spoilt = true,
            Change::DirectorySynced(directory) => self.sync_directory(directory),
            Change::Dropped(place, content) => {
                self.hold(place, Some(content));
            }
            Change::TakenAway(place) => {
                if let Some(node) = self.names.remove(&place) {
                    self.nodes[node].places.remove(&place);
                }
            }
        }
    }

    /// What a power cut leaves of it.
    pub(super) fn cut(mut self, survival: &mut Survival) -> Self {
        for change in std::mem::take(&mut self.pending) {
            if survival.keeps() {
                self.settle(change);
            }
        }
        for state in self.nodes.iter_mut().filter(|state| !state.places.is_empty()) {
            if let Some(file) = &mut state.file {
                file.synced = file.now.cut(&file.synced, survival);
                file.now = file.synced.clone();
            }
        }
        self
    }

    fn add(&mut self, file: Option<Versions>) -> Node {
        self.nodes.push(State { places: BTreeSet::new(), file });
        self.nodes.len() - 1
    }

    fn make(&mut self, place: Place, file: Option<Versions>) {
        let node = self.add(file);
        self.pending.push(Move::new(node, None, Some(place)));
    }

    fn file(&mut self, node: Node) -> &mut Versions {
        self.nodes[node].file.as_mut().expect("only files are written")
    }

    fn sync_directory(&mut self, directory: Node) {
        let (mut last, mut last_of_all) = (BTreeMap::new(), BTreeMap::new());
        for (index, change) in self.pending.iter_mut().enumerate() {
            change.synced(directory);
            if change.is_durable(self.rule) {
                last.insert(change.node, index);
                if change.settles_all_before(self.rule) {
                    last_of_all.insert(change.node, index);
                }
            }
        }
        for (index, change) in std::mem::take(&mut self.pending).into_iter().enumerate() {
            // With a move those of the same file before it are durable, too; but old names may stay beside a new one.
            let last = if matches!(change.part, Part::OldName(_)) { &last_of_all } else { &last };
            match last.get(&change.node) {
                Some(last) if index <= *last => self.settle(change),
                _ => self.pending.push(change),
            }
        }
    }

    /// Makes a move durable, unless one of the same file before it was lost.
    fn settle(&mut self, change: Move) {
        let Move { node, from, to, part, .. } = change;
        let places = &mut self.nodes[node].places;
        let may_be = match part {
            Part::OldName(number) => self.renamed.contains(&number),
            _ => from.as_ref().map_or(places.is_empty(), |from| places.contains(from)),
        };
        if !may_be {
            return;
        }
        if let Part::NewName(number) = part {
            self.renamed.insert(number);
        } else if let Some(from) = from
            && places.remove(&from)
        {
            self.names.remove(&from);
        }
        if let (Some(to), Part::Whole | Part::NewName(_)) = (to, part) {
            if let Some(replaced) = self.names.insert(to.clone(), node) {
                self.nodes[replaced].places.remove(&to);
            }
            self.nodes[node].places.insert(to);
        }
    }
}
