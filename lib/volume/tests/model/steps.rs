//! The protocol's steps, one for each system call that others can tell from its neighbours.
//!
//! Each file in `steps/` stands for one of `lib/volume/src`; each step says which function it models. What is
//! between two system calls goes with the first. Errors end as they do there: the claim is let go.

mod claim;
mod committed;
mod convert;
mod deliver;
mod order;
mod take_over;

use crate::disk::Change;
use crate::mutations::Mutation;
use crate::names::Content;
use crate::place::{CLAIMS, Directory, Own, Place, Public, Slot};
use crate::protocol::Protocol;
use crate::state::{NO_CLAIM, Pc, State, Worker};

use self::order::Synced;

/// The stage that converts: file 0 has a line that it rejects.
pub(crate) const CONVERT: u8 = 1;
/// The stage that delivers and publishes nothing.
pub(crate) const DELIVER: u8 = 2;

/// Where a worker may go on in more than one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    Go,
    /// Not to do it: a replica that only asks whether there is an owner, a document that is not journaled.
    Pass,
    Draft(usize),
    TakeOver(usize),
    Take(Public),
}

/// One worker's step.
pub(crate) struct Turn<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) who: usize,
    pub(crate) protocol: &'a Protocol,
}

impl Protocol {
    pub(crate) fn lacks(&self, mutation: Mutation) -> bool {
        self.without == Some(mutation)
    }

    pub(crate) fn has_cuts(&self) -> bool {
        self.faults.cuts > 0
    }

    /// Where the power cannot be cut a sync changes nothing, and is passed over.
    fn skips(&self, pc: Pc) -> bool {
        let is_left_out = matches!(self.without, Some(Mutation::Skip(steps)) if steps.contains(&pc));
        is_left_out || (!self.has_cuts() && order::synced(pc).is_some())
    }

    /// Whether a step goes with the one before it: with all that makes, takes over or removes a directory, where that is
    /// to be one step. And where neither a cut nor a person can come between, a look whose answer nobody else
    /// changes, and what is done to names in the claim that nobody else reads till then.
    fn is_quiet(&self, pc: Pc) -> bool {
        let has_nothing_between = !self.has_cuts() && !self.person;
        match pc {
            Pc::Recover | Pc::Judge | Pc::Read | Pc::LookAgain | Pc::ReadJournal => has_nothing_between,
            Pc::Clear | Pc::ClearAll | Pc::MakeRejected | Pc::MakeReasons => has_nothing_between,
            Pc::Write | Pc::WriteJournal | Pc::NameReasons | Pc::NameRejected => has_nothing_between,
            Pc::CheckNew => has_nothing_between || self.coarse,
            Pc::MakeLock | Pc::LockNew | Pc::MakeOrphanLock | Pc::LockMade | Pc::CheckMade => self.coarse,
            Pc::LockOrphan | Pc::RaiseGeneration | Pc::CheckOrphan | Pc::RemoveDirectory => self.coarse,
            Pc::TakeInput => self.coarse && !self.has_cuts(),
            _ => false,
        }
    }
}

impl Turn<'_> {
    pub(crate) fn me(&mut self) -> &mut Worker {
        &mut self.state.workers[self.who]
    }

    pub(crate) fn worker(&self) -> Worker {
        self.state.workers[self.who]
    }

    /// Does the worker's next step, and what goes with it.
    pub(crate) fn go_on(&mut self, choice: Choice) {
        let before = self.worker().claim;
        self.act(choice);
        while self.protocol.is_quiet(self.worker().pc) || self.finds_nothing() {
            self.act(choice);
        }
        self.forget();
        for claim in [before, self.worker().claim] {
            if claim != NO_CLAIM {
                self.state.renumber(usize::from(claim));
            }
        }
    }

    /// Whether the next step only looks for what is not there.
    fn finds_nothing(&self) -> bool {
        let slot = match self.worker().pc {
            Pc::DropInput => Slot::Input,
            Pc::PublishReasons => Slot::Reasons,
            Pc::PublishRejected => Slot::Rejected,
            _ => return false,
        };
        !self.protocol.has_cuts() && !self.has(slot)
    }

    /// Forgets what no later step asks for, so that states that differ in it become one.
    fn forget(&mut self) {
        let me = self.me();
        match me.pc {
            Pc::SyncCommit | Pc::DropInput | Pc::SyncDropped | Pc::PublishReasons => {
                (me.judged, me.read, me.was_cleared) = (0, 0, false);
            }
            Pc::LookForName => me.any_rejected = false,
            Pc::SyncPublished => (me.own_name, me.plain) = (false, false),
            Pc::ClearAll | Pc::DropLock => {
                let Worker { stage, pc, was_killed, claim, generation, lock, is_locked, .. } = *me;
                *me = Worker { pc, was_killed, claim, generation, lock, is_locked, ..Worker::new(stage) };
            }
            _ => {}
        }
    }

    /// Whether anything has failed so far.
    pub(crate) fn had_fault(&self) -> bool {
        let left = self.state.faults;
        let all = self.protocol.faults;
        left.lost_locks < all.lost_locks
            || left.cuts < all.cuts
            || self.state.workers.iter().any(|worker| worker.was_killed)
    }

    fn act(&mut self, choice: Choice) {
        let pc = self.worker().pc;
        if let Some(synced) = order::synced(pc) {
            return self.sync(pc, &synced);
        }
        match pc {
            Pc::Idle
            | Pc::MakeLock
            | Pc::LockNew
            | Pc::CheckNew
            | Pc::TakeInput
            | Pc::DropLock
            | Pc::RemoveDirectory => self.claim(pc, choice),
            Pc::MakeOrphanLock
            | Pc::LockMade
            | Pc::CheckMade
            | Pc::LockOrphan
            | Pc::RaiseGeneration
            | Pc::CheckOrphan
            | Pc::Recover => self.take_over(pc, choice),
            Pc::ReadJournal
            | Pc::Post
            | Pc::MakeJournal
            | Pc::WriteJournal
            | Pc::NameJournal
            | Pc::DropOlderJournal => self.deliver(pc, choice),
            Pc::DropInput
            | Pc::PublishReasons
            | Pc::PublishRejected
            | Pc::LookForName
            | Pc::Publish
            | Pc::ClearAll => self.publish_committed(pc),
            _ => self.convert(pc),
        }
    }

    /// `fs::sync_directory`, `fs::sync`: a path that is gone is an error, a file's descriptor is good for ever.
    fn sync(&mut self, pc: Pc, synced: &Synced) {
        match synced {
            Synced::Directory(Directory::Claim(_)) if !self.is_ours() => return self.release(),
            Synced::Directory(Directory::Claim(_)) => {
                let claim = usize::from(self.worker().claim);
                self.state.disk.sync_directory(Directory::Claim(claim));
            }
            Synced::Directory(directory) => self.state.disk.sync_directory(*directory),
            Synced::Own(own) => self.state.disk.sync_file(self.own(*own)),
        }
        self.go(order::behind(pc, self.worker().stage));
    }

    pub(crate) fn go(&mut self, mut pc: Pc) {
        while self.protocol.skips(pc) {
            pc = order::behind(pc, self.worker().stage);
        }
        self.me().pc = pc;
    }

    /// The claim is dropped, or its owner has died: the kernel frees the lock.
    pub(crate) fn release(&mut self) {
        let Worker { stage, was_killed, .. } = self.worker();
        let claim = usize::from(self.worker().claim);
        *self.me() = Worker { was_killed, ..Worker::new(stage) };
        if claim < CLAIMS {
            self.state.renumber(claim);
        }
    }

    /// Whether the paths of the worker's claim lead anywhere.
    pub(crate) fn is_ours(&self) -> bool {
        let directory = self.state.disk.seen.get(self.at(Slot::Directory));
        let Worker { stage, generation, .. } = self.worker();
        directory == directory_value(stage, generation)
            || (self.protocol.lacks(Mutation::KeepDescriptor) && directory != 0)
    }

    pub(crate) fn at(&self, slot: Slot) -> Place {
        Place::claim(usize::from(self.worker().claim), slot)
    }

    /// `Claim::own`
    pub(crate) fn own(&self, own: Own) -> Place {
        if own == Own::Output && self.protocol.lacks(Mutation::OwnOutput) {
            return self.at(Slot::Output);
        }
        self.at(Slot::Own(own, self.worker().generation))
    }

    /// Whether the worker finds something under a name in its claim.
    pub(crate) fn has(&self, slot: Slot) -> bool {
        self.is_ours() && self.state.disk.seen.has(self.at(slot))
    }

    pub(crate) fn put(&mut self, place: Place, value: u8) {
        self.state.disk.change(Change::Put(place, value));
    }

    pub(crate) fn remove(&mut self, place: Place) {
        self.state.disk.change(Change::Remove(place));
    }

    /// `fs::rename`, which replaces.
    pub(crate) fn rename(&mut self, from: Place, to: Place) {
        self.state.disk.change(Change::Move(from, to));
    }

    pub(crate) fn content(&self, version: u8) -> u8 {
        Content { file: usize::from(self.worker().file), version }.value()
    }
}

/// The value of a claim's directory: what its path tells of it.
pub(crate) fn directory_value(stage: u8, generation: u8) -> u8 {
    stage << 4 | generation
}
