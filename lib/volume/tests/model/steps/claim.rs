//! `claim.rs`: a claim made, filled and removed.

use super::{Choice, Turn, directory_value};
use crate::mutations::Mutation;
use crate::names::Content;
use crate::place::{BLOCK, CLAIMS, Place, Slot, small};
use crate::state::Pc;

impl Turn<'_> {
    pub(super) fn claim(&mut self, pc: Pc, choice: Choice) {
        match (pc, choice) {
            (Pc::Idle, Choice::TakeOver(claim)) => self.open_orphan(claim),
            (Pc::Idle, Choice::Draft(file)) => {
                self.me().file = small(file);
                self.make_directory();
            }
            (Pc::Idle, _) => self.make_directory(),
            (Pc::MakeLock, _) => self.make_lock(Pc::LockNew),
            (Pc::LockNew, _) => self.lock(Pc::CheckNew),
            (Pc::CheckNew, _) if self.has_lock() => self.go(Pc::SyncClaims),
            (Pc::CheckNew, _) => self.release(),
            (Pc::TakeInput, Choice::Take(name)) => self.take(Place::public(self.worker().stage - 1, name)),
            // Someone else was faster.
            (Pc::TakeInput, _) => self.go(Pc::DropLock),
            (Pc::DropLock, _) => self.drop_lock(),
            _ => self.remove_directory(),
        }
    }

    /// `Claim::create`: `fs::make_directory`
    fn make_directory(&mut self) {
        let claim = (0..CLAIMS).find(|claim| !self.state.is_known(*claim)).expect("room for another claim");
        let me = self.me();
        (me.claim, me.generation) = (small(claim), 1);
        self.put(self.at(Slot::Directory), directory_value(self.worker().stage, 1));
        self.go(Pc::MakeLock);
    }

    /// `lock_new`: `NewFile::create`
    pub(super) fn make_lock(&mut self, next: Pc) {
        if !self.is_ours() || self.has(Slot::Lock) {
            return self.release();
        }
        let lock = self.state.new_lock(self.worker().claim);
        self.put(self.at(Slot::Lock), lock);
        self.me().lock = lock;
        self.go(next);
    }

    /// `fs::try_lock`: it is the open file that is locked, whatever its name is by now.
    pub(super) fn lock(&mut self, next: Pc) {
        let me = self.worker();
        if self.state.is_held(me.claim, me.lock, self.who) && !self.protocol.lacks(Mutation::Lock) {
            return self.release();
        }
        self.me().is_locked = true;
        self.go(next);
    }

    /// `is_named`
    pub(super) fn has_lock(&self) -> bool {
        self.is_ours() && self.state.disk.seen.get(self.at(Slot::Lock)) == self.worker().lock
    }

    /// `Claim::take`: `publish::rename`
    fn take(&mut self, from: Place) {
        if !self.is_ours() {
            return self.go(Pc::DropLock);
        }
        let content = Content::of(self.state.disk.seen.get(from)).expect("the name was there");
        self.me().file = small(content.file);
        self.rename(from, self.at(Slot::Input));
        self.go(Pc::SyncTaken);
    }

    /// `Claim::remove`: `fs::unlink` of the lock, which is closed then
    fn drop_lock(&mut self) {
        if !self.has(Slot::Lock) {
            return self.release();
        }
        self.remove(self.at(Slot::Lock));
        let me = self.me();
        (me.lock, me.is_locked) = (0, false);
        self.go(Pc::RemoveDirectory);
    }

    /// `Claim::remove`: `fs::remove_directory`, which fails where anything is left in it
    fn remove_directory(&mut self) {
        let claim = usize::from(self.worker().claim);
        let left = self.state.disk.seen.block(claim);
        if self.is_ours() && left[1..BLOCK].iter().all(|value| *value == 0) {
            self.remove(self.at(Slot::Directory));
        }
        self.release();
    }
}
