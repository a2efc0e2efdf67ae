//! One thread's part: opens directories, reads them, and has their entries listed.

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::lines::{LINE, Lines, Tally};
use super::names::{Ended, Names, in_piece};
use super::order::{Finished, Task, Todo};
use super::tree::Tree;

/// So many entries are listed in one go; the others are left to whichever thread is free.
const PIECE: usize = 512;

/// Fewer where paths are so long that their lines would be more than this many bytes.
const PIECE_BYTES: usize = 1 << 20;

/// See the module.
pub(super) struct Lister<'a> {
    tree: &'a Tree,
    names: Names,
    lines: Lines<'a>,
}

impl<'a> Lister<'a> {
    pub(super) fn new(tree: &'a Tree, lines: Lines<'a>) -> Self {
        Self { tree, names: Names::new(), lines }
    }

    pub(super) fn run(&mut self, task: Task) -> (Finished, Tally) {
        self.lines.set_now(now());
        let finished = match task {
            Task::Directory(path) => self.open(&path).map(|opened| self.read(&path.into(), opened)),
            Task::Rest { directory, opened } => Some(self.read(&directory, opened)),
            Task::Names { directory, names } => self.open(&directory).map(|opened| {
                let names: Vec<&CStr> = in_piece(&names).collect();
                self.lines.list(&directory, &opened, names.into_iter())
            }),
        };
        (finished.unwrap_or_default(), std::mem::take(&mut self.lines.tally))
    }

    fn open(&mut self, path: &[u8]) -> Option<OwnedFd> {
        let opened = self.tree.directory(path);
        opened.map_err(|error| self.lines.unreadable(path, error)).ok()
    }

    /// Reads a run of a directory's names; lists its first piece, and leaves its other pieces and the next run to be done.
    fn read(&mut self, directory: &Arc<[u8]>, opened: OwnedFd) -> Finished {
        let ended = self.names.read(&opened);
        let piece = (PIECE_BYTES / (directory.len() + LINE)).clamp(1, PIECE);
        let mut finished = self.lines.list(directory, &opened, self.names.iter(piece));
        let pieces = self.names.pieces(piece);
        finished
            .then
            .extend(pieces.map(|names| Todo::Task(Task::Names { directory: Arc::clone(directory), names })));
        match ended {
            Ended::AtEnd => {}
            Ended::Early => {
                finished.then.push(Todo::Task(Task::Rest { directory: Arc::clone(directory), opened }))
            }
            Ended::Failed(error) => self.lines.unreadable(directory, error),
        }
        finished
    }
}

/// In seconds since 1970. A clock before that shows every date with its year, which does no harm.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
