//! What a machine knows: what was done on it so far, and what is to go wrong.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::panic::Location;

use super::change::{Change, Move};
use super::content::Content;
use super::directory::Directory;
use super::environment::Event;
use super::site::Site;
use crate::Error;
use crate::fs::Call;

/// What happens to a program at one of its calls.
pub(super) enum Fault {
    /// It is killed before the call.
    Kill,
    /// The call fails, and did nothing.
    Fail,
    /// The call fails, and did what it was to do.
    FailAfterwards,
    /// It stands still before the call while something else happens.
    Pause(Box<dyn FnOnce()>),
}

/// A program's calls that are faulted, by their numbers, counted from 1.
pub(super) type Faults = HashMap<usize, Fault>;

/// What happened, in its order.
#[derive(Debug, Clone)]
pub(super) enum Recorded {
    Disk(Change),
    Environment(Event),
}

/// A call of the protocol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noted {
    /// How many events came before it.
    pub(super) events: usize,
    /// Its number among its program's calls.
    pub(super) number: usize,
    pub(super) act: &'static str,
    pub(super) is_left_out: bool,
}

/// What was done so far, and who runs.
pub(super) struct Machine {
    pub(super) directory: Directory,
    pub(super) events: Vec<Recorded>,
    /// Each call of the protocol that was to be made.
    pub(super) calls: Vec<Noted>,
    /// Where syncs and renames are asked for.
    pub(super) sites: BTreeSet<Site>,
    /// What programs complained of that nothing faulted.
    pub(super) complaints: Vec<String>,
    /// Whether any fault came.
    pub(super) was_faulted: bool,
    left_out: Option<Site>,
    pub(super) programs: Vec<Program>,
}

/// A program that runs, as the machine sees it.
#[derive(Default)]
pub(super) struct Program {
    calls: usize,
    faults: Faults,
    is_dead: bool,
    pub(super) was_faulted: bool,
    pub(super) was_paused: bool,
    was_robbed: bool,
    /// The locks that it took itself, if it gets those that others hold, too.
    pub(super) robs: Option<HashSet<u64>>,
}

/// What becomes of a call.
pub(super) enum Fate {
    Made,
    Unnoted,
    LeftOut,
    Refused,
    Faulted(Fault),
}

impl Machine {
    pub(super) fn new(directory: Directory, left_out: Option<Site>) -> Self {
        Machine {
            directory,
            events: Vec::new(),
            calls: Vec::new(),
            sites: BTreeSet::new(),
            complaints: Vec::new(),
            was_faulted: false,
            left_out,
            programs: Vec::new(),
        }
    }

    /// Notes that a program starts.
    pub(super) fn begin(&mut self, faults: Faults, robs: bool) {
        if robs {
            self.programs.iter_mut().for_each(|program| program.was_robbed = true);
        }
        let robs = robs.then(HashSet::new);
        self.programs.push(Program { faults, robs, ..Program::default() });
    }

    /// The program that runs, unless it is dead.
    pub(super) fn living(&mut self) -> Option<&mut Program> {
        self.programs.last_mut().filter(|program| !program.is_dead)
    }

    pub(super) fn fate(&mut self, call: Call<'_>, at: &'static Location<'static>) -> Fate {
        let site = Site::of(call, at, &self.directory);
        let program = self.programs.last_mut().expect("only programs make calls");
        if program.is_dead {
            return Fate::Refused;
        }
        if Site::is_self_test(at) {
            return Fate::Unnoted;
        }
        program.calls += 1;
        let is_left_out = site.is_some() && site == self.left_out;
        let (events, number, act) = (self.events.len(), program.calls, call.act());
        self.calls.push(Noted { events, number, act, is_left_out });
        self.sites.extend(site);
        if is_left_out {
            return Fate::LeftOut;
        }
        let fault = program.faults.remove(&program.calls);
        self.was_faulted |= fault.is_some();
        match fault {
            None => Fate::Made,
            Some(Fault::Kill) => {
                program.is_dead = true;
                Fate::Refused
            }
            Some(fault) => {
                let is_pause = matches!(fault, Fault::Pause(_));
                program.was_paused |= is_pause;
                program.was_faulted |= !is_pause;
                Fate::Faulted(fault)
            }
        }
    }

    /// Notes what a call did that was made; `failed`: it was told otherwise.
    pub(super) fn record(&mut self, call: Call<'_>, failed: bool) {
        let change = match call {
            Call::Sync(_) | Call::SyncData(_) | Call::SyncDirectory(_) if failed => {
                return self.record_failure(call);
            }
            Call::Create(path) => {
                let content = File::open(path).and_then(|file| Content::of(&file)).expect("it can be read");
                Change::MadeFile(self.directory.made(path, true).expect("it was just made"), content)
            }
            Call::MakeDirectory(path) => {
                Change::MadeDirectory(self.directory.made(path, false).expect("it was just made"))
            }
            Call::Write(file) | Call::MarkComplete(file) | Call::Reserve(file) => {
                let Some(node) = self.directory.file(file) else { return };
                Change::Written(node, Content::of(file).expect("new files can be read"))
            }
            Call::Sync(file) => Change::Synced(self.directory.file(file).expect("it was made here")),
            Call::SyncData(file) => Change::DataSynced(self.directory.file(file).expect("it was made here")),
            Call::SyncDirectory(path) => {
                Change::DirectorySynced(self.directory.node(path).expect("it is there"))
            }
            Call::Rename { from, to } => {
                let (node, from, to) = self.directory.moved(from, to);
                Change::Moved(Move::new(node, Some(from), Some(to)))
            }
            Call::Unlink(path) | Call::RemoveDirectory(path) => {
                let (node, place) = self.directory.gone(path);
                Change::Moved(Move::new(node, Some(place), None))
            }
        };
        self.events.push(Recorded::Disk(change));
    }

    pub(super) fn record_failure(&mut self, call: Call<'_>) {
        if let Call::Sync(file) | Call::SyncData(file) = call {
            let node = self.directory.file(file).expect("it was made here");
            self.events.push(Recorded::Disk(Change::SyncFailed(node)));
        }
    }

    /// A program that nothing faulted has nothing to complain of, and every complaint names act and path.
    pub(super) fn complain(&mut self, error: &Error) {
        let root = self.directory.root().to_owned();
        let Some(program) = self.living() else { return };
        let is_fine = match error {
            Error::Fenced { .. } => program.was_robbed,
            Error::NoDirectory { .. } => false,
            Error::Io { act, path, .. } => program.was_faulted && !act.is_empty() && path.starts_with(root),
        };
        if !is_fine {
            self.complaints.push(format!("{error}: {:?}", std::error::Error::source(error)));
        }
    }
}
