//! `take_over.rs`: an orphan taken over.

use super::{Choice, Turn, directory_value};
use crate::mutations::Mutation;
use crate::names::Content;
use crate::place::{GENERATION, OWNERS, Slot, small};
use crate::state::Pc;

impl Turn<'_> {
    pub(super) fn take_over(&mut self, pc: Pc, choice: Choice) {
        match pc {
            Pc::MakeOrphanLock => self.make_lock(Pc::LockMade),
            Pc::LockMade => self.lock(Pc::CheckMade),
            Pc::CheckMade if self.has_lock() => self.go(Pc::RaiseGeneration),
            Pc::LockOrphan => self.lock(Pc::RaiseGeneration),
            // `owner`: whoever asks holds the lock for a moment.
            Pc::RaiseGeneration if choice == Choice::Pass => self.release(),
            Pc::RaiseGeneration => self.raise_generation(),
            Pc::CheckOrphan if self.has_lock() => self.go(Pc::SyncOrphans),
            Pc::Recover if self.is_ours() => self.recover(),
            _ => self.release(),
        }
    }

    /// `lock_orphan`: `fs::open_lock`, of a directory that the scan has seen
    pub(super) fn open_orphan(&mut self, claim: usize) {
        self.me().claim = small(claim);
        let directory = self.state.disk.seen.get(self.at(Slot::Directory));
        self.me().generation = directory & GENERATION;
        let lock = self.state.disk.seen.get(self.at(Slot::Lock));
        self.me().lock = lock;
        self.go(if lock == 0 { Pc::MakeOrphanLock } else { Pc::LockOrphan });
    }

    /// `Claim::take_over`: `fs::rename` of the directory
    fn raise_generation(&mut self) {
        if !self.is_ours() {
            return self.release();
        }
        let next = self.worker().generation + 1;
        if next > OWNERS {
            self.state.flaw = Some("a claim has more owners in turn than the model has room for");
            return;
        }
        self.put(self.at(Slot::Directory), directory_value(self.worker().stage, next));
        self.me().generation = next;
        self.go(Pc::CheckOrphan);
    }

    /// `Claim::recover`, whose looks are one step: nobody else changes names under this generation's paths
    fn recover(&mut self) {
        let found = |slot| Content::of(self.state.disk.seen.get(self.at(slot)));
        let output = found(Slot::Output).filter(|_| !self.protocol.lacks(Mutation::FindOutput));
        let rejected = found(Slot::Rejected).or(found(Slot::Reasons));
        let rejected = rejected.filter(|_| !self.protocol.lacks(Mutation::FindRejected));
        let (content, next) = match (output, found(Slot::Input), rejected) {
            (Some(output), _, _) => (Some(output), Pc::DropInput),
            // A draft has no input.
            (None, Some(input), _) => (Some(input), Pc::Judge),
            (None, None, Some(rejected)) => (Some(rejected), Pc::DropInput),
            (None, None, None) => (None, Pc::ClearAll),
        };
        if let Some(content) = content {
            self.me().file = small(content.file);
        }
        self.go(next);
    }
}
