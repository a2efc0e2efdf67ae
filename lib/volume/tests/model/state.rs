//! A state of the whole: the volume, each process at its next system call, and what only the checks know.

use crate::disk::Disk;
use crate::names::Names;
use crate::place::{FILES, Place, Slot};

/// The next system call of a worker. The module in `steps/` that the group is named after says what it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Pc {
    Idle,
    // claim
    MakeLock,
    LockNew,
    CheckNew,
    SyncClaims,
    TakeInput,
    SyncTaken,
    // take over
    MakeOrphanLock,
    LockMade,
    CheckMade,
    LockOrphan,
    RaiseGeneration,
    CheckOrphan,
    SyncOrphans,
    SyncOrphan,
    Recover,
    // convert
    Judge,
    Clear,
    Read,
    MakeOutput,
    MakeRejected,
    MakeReasons,
    Write,
    SyncReasons,
    NameReasons,
    SyncRejected,
    NameRejected,
    SyncOutput,
    LookAgain,
    SyncBeforeCommit,
    Commit,
    SyncCommit,
    // deliver
    ReadJournal,
    Post,
    MakeJournal,
    WriteJournal,
    SyncJournal,
    NameJournal,
    SyncJournalName,
    DropOlderJournal,
    // publish
    DropInput,
    SyncDropped,
    PublishReasons,
    PublishRejected,
    SyncRejectedPublished,
    LookForName,
    Publish,
    SyncPublished,
    ClearAll,
    DropLock,
    RemoveDirectory,
}

/// A replica of a stage; stage 0 is what starts the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Worker {
    pub(crate) stage: u8,
    pub(crate) pc: Pc,
    pub(crate) was_killed: bool,
    pub(crate) claim: u8,
    /// The generation in the paths that it knows.
    pub(crate) generation: u8,
    /// Which lock file it has open, 0: none.
    pub(crate) lock: u8,
    /// Whether the kernel has it hold that lock.
    pub(crate) is_locked: bool,
    pub(crate) file: u8,
    /// The version that was judged complete, and the one that was read.
    pub(crate) judged: u8,
    pub(crate) read: u8,
    pub(crate) was_cleared: bool,
    /// It published what was rejected.
    pub(crate) any_rejected: bool,
    /// The plain name was taken by another since it looked.
    pub(crate) own_name: bool,
    /// The name that it will publish under is the plain one.
    pub(crate) plain: bool,
}

/// Of a worker that is in no claim.
pub(crate) const NO_CLAIM: u8 = u8::MAX;

impl Worker {
    pub(crate) fn new(stage: u8) -> Self {
        Worker {
            stage,
            pc: Pc::Idle,
            was_killed: false,
            claim: NO_CLAIM,
            generation: 0,
            lock: 0,
            is_locked: false,
            file: 0,
            judged: 0,
            read: 0,
            was_cleared: false,
            any_rejected: false,
            own_name: false,
            plain: false,
        }
    }

    pub(crate) fn is_in(&self, claim: usize) -> bool {
        usize::from(self.claim) == claim
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.pc == Pc::Idle
    }

    /// Whether it has made sure that the claim is its own.
    pub(crate) fn owns(&self) -> bool {
        let is_new = matches!(self.pc, Pc::MakeLock | Pc::LockNew | Pc::CheckNew);
        let is_made = matches!(self.pc, Pc::MakeOrphanLock | Pc::LockMade | Pc::CheckMade);
        let is_orphan = matches!(self.pc, Pc::LockOrphan | Pc::RaiseGeneration | Pc::CheckOrphan);
        !(self.is_idle() || is_new || is_made || is_orphan || self.pc == Pc::RemoveDirectory)
    }
}

/// Someone who writes a file where it is to be taken, in two goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Person {
    /// How much is written: 0 nothing, 1 half, 2 all.
    pub(crate) version: u8,
    pub(crate) has_open: bool,
    pub(crate) is_done: bool,
}

/// What is left to go wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Faults {
    /// Whether each worker may kill, once.
    pub(crate) kills: bool,
    /// Locks that a network file system takes from an owner that it thinks dead.
    pub(crate) lost_locks: u8,
    pub(crate) cuts: u8,
}

/// What was promised so far, a flag a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Promises {
    /// It is on the volume, and stays until it is at its end.
    pub(crate) made: [bool; FILES],
    /// What was committed of it has rejected lines.
    pub(crate) refused: [bool; FILES],
    /// The API has answered.
    pub(crate) answered: [bool; FILES],
    pub(crate) journaled: [bool; FILES],
    /// The last stage is done with it.
    pub(crate) finished: [bool; FILES],
}

#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) disk: Disk,
    pub(crate) workers: Vec<Worker>,
    pub(crate) person: Person,
    pub(crate) faults: Faults,
    pub(crate) promises: Promises,
    /// The claim whose key a file's document was first posted with.
    pub(crate) key: [u8; FILES],
    /// What a step did that nothing may do.
    pub(crate) flaw: Option<&'static str>,
}

impl State {
    pub(crate) fn new(stages: &[u8], names: Names, faults: Faults) -> Self {
        State {
            disk: Disk::new(names, faults.cuts > 0),
            workers: stages.iter().map(|stage| Worker::new(*stage)).collect(),
            person: Person::default(),
            faults,
            promises: Promises::default(),
            key: [NO_CLAIM; FILES],
            flaw: None,
        }
    }

    pub(crate) fn is_in_use(&self, claim: usize) -> bool {
        !self.disk.seen.is_free(claim) || self.workers.iter().any(|worker| worker.is_in(claim))
    }

    /// Whether anything still knows of a claim.
    pub(crate) fn is_known(&self, claim: usize) -> bool {
        let pending = self.disk.pending.iter().flat_map(|change| change.places());
        !self.disk.is_free(claim)
            || self.workers.iter().any(|worker| worker.is_in(claim))
            || self.key.iter().any(|key| usize::from(*key) == claim)
            || pending.filter_map(Place::in_claim).any(|(other, _)| other == claim)
    }

    /// Whether a claim's lock is held by anyone but `who`.
    pub(crate) fn is_held(&self, claim: u8, lock: u8, who: usize) -> bool {
        let mut others = self.workers.iter().enumerate().filter(|(other, _)| *other != who);
        others.any(|(_, worker)| worker.claim == claim && worker.lock == lock && worker.is_locked)
    }

    /// What tells a lock file from others of its claim.
    pub(crate) fn new_lock(&self, claim: u8) -> u8 {
        let place = Place::claim(usize::from(claim), Slot::Lock);
        let is_known = |lock: &u8| {
            let in_names =
                [&self.disk.seen, &self.disk.durable].iter().any(|names| names.get(place) == *lock);
            in_names || self.workers.iter().any(|worker| worker.claim == claim && worker.lock == *lock)
        };
        (1..).find(|lock| !is_known(lock)).expect("there are few workers")
    }
}
