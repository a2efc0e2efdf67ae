//! A real directory that holds what a disk of the model holds.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use uuid::Uuid;

use super::change::{Node, Place, ROOT};
use super::content::Content;
use super::disk::Disk;
use super::stages::DRAFTS;

/// A directory, and how the model names what lies in it.
#[derive(Debug)]
pub(super) struct Directory {
    place: TempDir,
    nodes: usize,
    names: BTreeMap<Place, Node>,
    inodes: HashMap<u64, Node>,
    /// The files that were laid out, by their numbers on the disk before.
    files: HashMap<Node, (PathBuf, Node)>,
}

impl Directory {
    /// Lays out what is durable on `disk`; returns the directory, and the disk that it is on.
    pub(super) fn lay_out(disk: &Disk) -> io::Result<(Self, Disk)> {
        let place = tempfile::Builder::new().prefix("power-cut-").tempdir_in(memory())?;
        let (names, inodes, files) = (BTreeMap::new(), HashMap::new(), HashMap::new());
        let mut directory = Directory { place, nodes: 1, names, inodes, files };
        let mut laid = disk.another();
        directory.lay(disk, ROOT, &mut laid, ROOT, Path::new(""))?;
        Ok((directory, laid))
    }

    fn lay(&mut self, disk: &Disk, from: Node, laid: &mut Disk, to: Node, below: &Path) -> io::Result<()> {
        for (name, child) in disk.children(from) {
            let name = match below {
                _ if below == drafts() => aged(name),
                // What a draft refused bears its name.
                _ if below == Path::new("rejected") => Self::renamed(disk, name),
                _ => name.to_owned(),
            };
            let (below, place) = (below.join(&name), (to, name));
            let (path, content) = (self.root().join(&below), disk.content(child));
            if let Some((first, node)) = self.files.get(&child) {
                std::fs::hard_link(first, &path)?;
                laid.link(*node, place.clone());
                self.names.insert(place, *node);
                continue;
            }
            match content {
                Some(content) => content.lay_out(&path)?,
                None => std::fs::create_dir(&path)?,
            }
            let node = laid.hold(place.clone(), content.cloned());
            self.hold(place, node);
            if content.is_some() {
                self.opened(&path, node)?;
                self.files.insert(child, (path, node));
            } else {
                self.lay(disk, child, laid, node, &below)?;
            }
        }
        Ok(())
    }

    /// What a file of a draft's batch is called once that is aged.
    fn renamed(disk: &Disk, name: &str) -> String {
        let at = |node: Node, wanted: &str| {
            disk.children(node).find(|(name, _)| *name == wanted).map(|(_, node)| node)
        };
        let drafts = drafts().iter().try_fold(ROOT, |node, name| at(node, &name.to_string_lossy()));
        let claims = drafts.into_iter().flat_map(|drafts| disk.children(drafts)).map(|(claim, _)| claim);
        let batches = claims.filter_map(|claim| claim.split_once('.').map(|(batch, _)| (batch, aged(claim))));
        batches.fold(name.to_owned(), |name, (batch, aged)| match aged.split_once('.') {
            Some((aged, _)) => name.replace(batch, aged),
            None => name,
        })
    }

    pub(super) fn root(&self) -> &Path {
        self.place.path()
    }

    fn hold(&mut self, place: Place, node: Node) {
        self.names.insert(place, node);
        self.nodes = self.nodes.max(node + 1);
    }

    fn opened(&mut self, path: &Path, node: Node) -> io::Result<()> {
        self.inodes.insert(std::fs::symlink_metadata(path)?.ino(), node);
        Ok(())
    }

    /// Every file that is really there, by its path.
    pub(super) fn files(&self) -> io::Result<BTreeMap<PathBuf, Content>> {
        let mut files = BTreeMap::new();
        let mut directories = vec![self.root().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory)? {
                let path = entry?.path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    let below = path.strip_prefix(self.root()).unwrap_or(&path).to_owned();
                    files.insert(below, Content::of(&File::open(&path)?)?);
                }
            }
        }
        Ok(files)
    }

    /// Names what has just been made at `path`.
    pub(super) fn made(&mut self, path: &Path, is_file: bool) -> io::Result<Place> {
        let place = self.place(path).expect("its directory is known");
        let node = self.nodes;
        self.hold(place.clone(), node);
        if is_file {
            self.opened(path, node)?;
        }
        Ok(place)
    }

    /// Follows a rename.
    pub(super) fn moved(&mut self, from: &Path, to: &Path) -> (Node, Place, Place) {
        let (from, to) = (self.place(from).expect("it was there"), self.place(to).expect("so was this"));
        let node = self.names.remove(&from).expect("only what is there is moved");
        self.names.insert(to.clone(), node);
        (node, from, to)
    }

    /// Forgets what was deleted.
    pub(super) fn gone(&mut self, path: &Path) -> (Node, Place) {
        let place = self.place(path).expect("it was there");
        (self.names.remove(&place).expect("only what is there is deleted"), place)
    }

    /// The directory's own number of what has a path.
    pub(super) fn node(&self, path: &Path) -> Option<Node> {
        let below = path.strip_prefix(self.root()).ok()?;
        below.iter().try_fold(ROOT, |node, name| {
            self.names.get(&(node, name.to_string_lossy().into_owned())).copied()
        })
    }

    /// An open file's.
    pub(super) fn file(&self, file: &File) -> Option<Node> {
        self.inodes.get(&file.metadata().ok()?.ino()).copied()
    }

    /// What a file or directory is called now.
    pub(super) fn name(&self, node: Node) -> &str {
        self.names.iter().find(|(_, named)| **named == node).map_or("", |(place, _)| place.1.as_str())
    }

    fn place(&self, path: &Path) -> Option<Place> {
        Some((self.node(path.parent()?)?, path.file_name()?.to_string_lossy().into_owned()))
    }
}

/// Nothing is lost with these files, so that they need no disk.
fn memory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let is_ours = rustix::fs::access(&memory, rustix::fs::Access::WRITE_OK).is_ok();
    if is_ours { memory } else { std::env::temp_dir() }
}

fn drafts() -> PathBuf {
    Path::new(".pipe/1").join(DRAFTS.name)
}

/// A minute without power, as the name of a draft tells it: one without lock is too young before to be cleaned up.
fn aged(claim: &str) -> String {
    const MINUTES: u128 = 2;
    let older = claim.split_once('.').and_then(|(batch, generation)| {
        let milliseconds = MINUTES * 60_000;
        let batch = Uuid::from_u128(batch.parse::<Uuid>().ok()?.as_u128() - (milliseconds << 80));
        Some(format!("{batch}.{generation}"))
    });
    older.unwrap_or_else(|| claim.to_owned())
}
