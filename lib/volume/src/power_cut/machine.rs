//! The machine that the protocol runs on: records what every call did, and disturbs those that it is told to.
//!
//! There is one a thread; without one, calls are made as ever. Programs run on it one within another: the inner one
//! runs in the middle of a call of the outer one, as on another machine.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::panic::Location;

use super::change::{Change, Move};
use super::content::Content;
use super::folder::Folder;
use super::site::Site;
use super::world::Deed;
use crate::Error;
use crate::fs::Call;

thread_local! {
    static MACHINE: RefCell<Option<Machine>> = const { RefCell::new(None) };
}

/// What happens to a program at one of its calls.
pub(super) enum Trouble {
    /// It is killed before the call.
    Kill,
    /// The call fails, and did nothing.
    Fail,
    /// The call fails, and did what it was to do.
    FailAfterwards,
    /// It stands still before the call while something else happens.
    Pause(Box<dyn FnOnce()>),
}

/// A program's calls that are troubled, by their numbers, counted from 1.
pub(super) type Troubles = HashMap<usize, Trouble>;

/// What happened, in its order.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Disk(Change),
    World(Deed),
}

/// A call of the protocol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noted {
    /// How many events came before it.
    pub(super) events: usize,
    /// Its number among its program's calls.
    pub(super) number: usize,
    pub(super) act: &'static str,
}

#[derive(Debug)]
pub(super) struct Machine {
    pub(super) folder: Folder,
    pub(super) events: Vec<Event>,
    /// Each call of the protocol that was to be made.
    pub(super) calls: Vec<Noted>,
    /// Where syncs and renames are asked for.
    pub(super) sites: BTreeSet<Site>,
    /// What programs complained of that nothing troubled.
    pub(super) complaints: Vec<String>,
    /// Whether any trouble came.
    pub(super) was_troubled: bool,
    left_out: Option<Site>,
    programs: Vec<Program>,
}

#[derive(Default)]
struct Program {
    calls: usize,
    troubles: Troubles,
    is_dead: bool,
    was_troubled: bool,
    was_paused: bool,
    was_robbed: bool,
    /// The locks that it took itself, if it gets those that others hold, too.
    robs: Option<HashSet<u64>>,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").field("calls", &self.calls).finish_non_exhaustive()
    }
}

fn with<R>(act: impl FnOnce(&mut Machine) -> R) -> Option<R> {
    MACHINE.with_borrow_mut(|machine| machine.as_mut().map(act))
}

/// Starts this thread's machine; what is asked for at `left_out` is never done.
pub(super) fn start(folder: Folder, left_out: Option<Site>) {
    let machine = Machine {
        folder,
        events: Vec::new(),
        calls: Vec::new(),
        sites: BTreeSet::new(),
        complaints: Vec::new(),
        was_troubled: false,
        left_out,
        programs: Vec::new(),
    };
    MACHINE.set(Some(machine));
}

/// Stops it, and returns what it recorded.
pub(super) fn stop() -> Machine {
    MACHINE.take().expect("a machine runs")
}

/// Runs a program; `robs`: the system has taken all locks from those that run already.
pub(super) fn run(troubles: Troubles, robs: bool, program: impl FnOnce()) {
    with(|machine| {
        if robs {
            machine.programs.iter_mut().for_each(|program| program.was_robbed = true);
        }
        let robs = robs.then(HashSet::new);
        machine.programs.push(Program { troubles, robs, ..Program::default() });
    });
    program();
    with(|machine| machine.programs.pop());
}

/// Whether the program was killed: what is left of it to run does nothing.
pub(super) fn is_dead() -> bool {
    with(|machine| machine.programs.last().is_some_and(|program| program.is_dead)).unwrap_or(false)
}

/// Whether the program was alone, and nothing came in its way.
pub(super) fn is_undisturbed() -> bool {
    let is = |program: &Program| !program.is_dead && !program.was_paused && !program.was_troubled;
    with(|machine| machine.programs.last().is_some_and(is)).unwrap_or(false)
}

/// Notes what was done that no call shows.
pub(super) fn note(deed: Deed) {
    with(|machine| {
        if !machine.programs.last().is_some_and(|program| program.is_dead) {
            machine.events.push(Event::World(deed));
        }
    });
}

/// Someone else puts a file into the data folder.
pub(super) fn drop_in(name: &str, text: &str) {
    let (content, path) = (Content::new(text), with(|machine| machine.folder.root().join(name)));
    let Some(path) = path else { return };
    content.lay_out(&path).expect("the name is free");
    with(|machine| {
        let place = machine.folder.made(&path, true).expect("it was just made");
        machine.events.push(Event::Disk(Change::Dropped(place, content)));
    });
}

/// Notes that a program gave up, which none may.
pub(super) fn give_up(why: &str) {
    with(|machine| {
        if !machine.programs.last().is_some_and(|program| program.is_dead) {
            machine.complaints.push(why.to_owned());
        }
    });
}

/// Notes an error that a program met.
pub(super) fn complain(error: &Error) {
    with(|machine| machine.complain(error));
}

/// Makes a call, or what becomes of it.
#[track_caller]
pub(crate) fn step<T: 'static>(call: Call<'_>, make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let at = Location::caller();
    let Some(fate) = with(|machine| machine.fate(call, at)) else { return make() };
    match fate {
        Fate::Made => {}
        Fate::Unnoted => return make(),
        Fate::LeftOut => return Ok(nothing()),
        Fate::Refused => return Err(io::Error::other("the program is dead")),
        Fate::Troubled(Trouble::Pause(meanwhile)) => meanwhile(),
        Fate::Troubled(Trouble::FailAfterwards) => {
            let made = make()?;
            drop(made);
            with(|machine| machine.record(call, true));
            return Err(failure());
        }
        Fate::Troubled(_) => {
            with(|machine| machine.record_failure(call));
            return Err(failure());
        }
    }
    let made = make()?;
    with(|machine| machine.record(call, false));
    Ok(made)
}

/// Whether a program gets a lock: also one that the system took from another, who does not know yet.
pub(crate) fn has_lock(file: &File, locked: bool) -> bool {
    let robbed = with(|machine| {
        let own = machine.programs.last_mut()?.robs.as_mut()?;
        Some(own.insert(file.metadata().ok()?.ino()))
    });
    locked || robbed.flatten().unwrap_or(false)
}

enum Fate {
    Made,
    Unnoted,
    LeftOut,
    Refused,
    Troubled(Trouble),
}

fn failure() -> io::Error {
    io::Error::from_raw_os_error(libc::EIO)
}

fn nothing<T: 'static>() -> T {
    let nothing: Box<dyn Any> = Box::new(());
    *nothing.downcast().expect("only syncs and renames are left out, which give nothing")
}

impl Machine {
    fn fate(&mut self, call: Call<'_>, at: &'static Location<'static>) -> Fate {
        let site = Site::of(call, at, &self.folder);
        let program = self.programs.last_mut().expect("only programs make calls");
        if program.is_dead {
            return Fate::Refused;
        }
        if Site::is_self_test(at) {
            return Fate::Unnoted;
        }
        program.calls += 1;
        self.calls.push(Noted { events: self.events.len(), number: program.calls, act: call.act() });
        if let Some(site) = site {
            if self.left_out.as_ref() == Some(&site) {
                return Fate::LeftOut;
            }
            self.sites.insert(site);
        }
        let trouble = program.troubles.remove(&program.calls);
        self.was_troubled |= trouble.is_some();
        match trouble {
            None => Fate::Made,
            Some(Trouble::Kill) => {
                program.is_dead = true;
                Fate::Refused
            }
            Some(trouble) => {
                let is_pause = matches!(trouble, Trouble::Pause(_));
                program.was_paused |= is_pause;
                program.was_troubled |= !is_pause;
                Fate::Troubled(trouble)
            }
        }
    }

    /// Notes what a call did that was made; `failed`: it was told otherwise.
    fn record(&mut self, call: Call<'_>, failed: bool) {
        let change = match call {
            Call::Sync(_) | Call::SyncData(_) | Call::SyncFolder(_) if failed => {
                return self.record_failure(call);
            }
            Call::Create(path) => {
                let content = File::open(path).and_then(|file| Content::of(&file)).expect("it can be read");
                Change::MadeFile(self.folder.made(path, true).expect("it was just made"), content)
            }
            Call::MakeFolder(path) => {
                Change::MadeFolder(self.folder.made(path, false).expect("it was just made"))
            }
            Call::Write(file) | Call::MakeReadOnly(file) => {
                let Some(node) = self.folder.file(file) else { return };
                Change::Written(node, Content::of(file).expect("new files can be read"))
            }
            Call::Sync(file) => Change::Synced(self.folder.file(file).expect("it was made here")),
            Call::SyncData(file) => Change::DataSynced(self.folder.file(file).expect("it was made here")),
            Call::SyncFolder(path) => Change::FolderSynced(self.folder.node(path).expect("it is there")),
            Call::Rename { from, to } => {
                let (node, from, to) = self.folder.moved(from, to);
                Change::Moved(Move::new(node, Some(from), Some(to)))
            }
            Call::Unlink(path) | Call::RemoveFolder(path) => {
                let (node, place) = self.folder.gone(path);
                Change::Moved(Move::new(node, Some(place), None))
            }
        };
        self.events.push(Event::Disk(change));
    }

    fn record_failure(&mut self, call: Call<'_>) {
        if let Call::Sync(file) | Call::SyncData(file) = call {
            let node = self.folder.file(file).expect("it was made here");
            self.events.push(Event::Disk(Change::SyncFailed(node)));
        }
    }

    /// A program that nothing troubled has nothing to complain of, and every complaint names act and path.
    fn complain(&mut self, error: &Error) {
        let root = self.folder.root();
        let Some(program) = self.programs.last().filter(|program| !program.is_dead) else { return };
        let is_fine = match error {
            Error::Fenced { .. } => program.was_robbed,
            Error::Io { act, path, .. } => program.was_troubled && !act.is_empty() && path.starts_with(root),
        };
        if !is_fine {
            self.complaints.push(format!("{error}: {:?}", std::error::Error::source(error)));
        }
    }
}
