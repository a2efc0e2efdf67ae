//! `committed.rs`, `publish.rs`: what follows the commit.

use super::{DELIVER, Turn};
use crate::mutations::Mutation;
use crate::place::{Place, Public, Slot};
use crate::state::Pc;

impl Turn<'_> {
    pub(super) fn publish_committed(&mut self, pc: Pc) {
        let file = usize::from(self.worker().file);
        match pc {
            Pc::DropInput => self.drop_input(),
            Pc::PublishReasons => {
                self.publish_rejected(Slot::Reasons, Place::reasons(file));
                self.go(Pc::PublishRejected);
            }
            Pc::PublishRejected => {
                self.publish_rejected(Slot::Rejected, Place::rejected(file));
                self.go(if self.worker().any_rejected { Pc::SyncRejectedPublished } else { Pc::LookForName });
            }
            Pc::LookForName => self.look_for_name(),
            Pc::Publish => self.publish(),
            _ => self.clear_all(),
        }
    }

    /// `Committed::publish`: `ClaimDirectory::unlink`
    fn drop_input(&mut self) {
        let me = self.worker();
        if me.stage == 0 {
            self.state.promises.made[usize::from(me.file)] = true;
        }
        if !self.has(Slot::Input) {
            return self.go(Pc::PublishReasons);
        }
        self.remove(self.at(Slot::Input));
        self.go(Pc::SyncDropped);
    }

    /// `publish_rejected`: `publish::rename`, which replaces
    fn publish_rejected(&mut self, slot: Slot, to: Place) {
        if !self.has(slot) {
            return;
        }
        if self.state.disk.seen.has(to) {
            self.state.flaw = Some("what was rejected before is overwritten");
        }
        self.rename(self.at(slot), to);
        self.me().any_rejected = true;
    }

    /// `publish_output`: the look at the output, and `next_name`
    fn look_for_name(&mut self) {
        let me = self.worker();
        if !self.is_ours() {
            return self.release();
        }
        if !self.has(Slot::Output) {
            return self.go(Pc::ClearAll);
        }
        if me.stage == DELIVER {
            self.remove(self.at(Slot::Output));
            self.state.promises.finished[usize::from(me.file)] = true;
            return self.go(Pc::ClearAll);
        }
        let waits = |name| self.state.disk.seen.has(Place::public(me.stage, name));
        let is_free = !Public::ALL.into_iter().any(waits) || self.protocol.lacks(Mutation::LookForNames);
        self.me().plain = is_free && !me.own_name;
        self.go(Pc::Publish);
    }

    /// `publish::publish`: `fs::rename_no_replace`, and what `moved` makes of its failure
    fn publish(&mut self) {
        let me = self.worker();
        let name = if me.plain { Public::Plain } else { Public::Id(usize::from(me.file)) };
        let to = Place::public(me.stage, name);
        let is_taken = self.state.disk.seen.has(to);
        if !self.has(Slot::Output) {
            // Taken over: another file of that name is taken for what the rename did, until the next step.
            return if is_taken { self.go(Pc::SyncPublished) } else { self.release() };
        }
        if is_taken && !self.protocol.lacks(Mutation::NoReplace) {
            self.me().own_name = true;
            return self.go(Pc::LookForName);
        }
        if is_taken {
            self.state.flaw = Some("a public file is overwritten");
        }
        self.rename(self.at(Slot::Output), to);
        self.go(Pc::SyncPublished);
    }

    /// `Claim::clear(&[])`
    fn clear_all(&mut self) {
        if !self.is_ours() {
            return self.release();
        }
        match self.left_over(false) {
            Some(slot) => self.remove(self.at(slot)),
            None => self.go(Pc::DropLock),
        }
    }
}
