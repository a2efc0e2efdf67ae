//! The machine that the protocol runs on: records what every call did, and disturbs those that it is told to.
//!
//! There is one a thread; without one, calls are made as ever. Programs run on it one within another: the inner one
//! runs in the middle of a call of the outer one, as on another machine.

use std::any::Any;
use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::panic::Location;

use super::change::Change;
use super::content::Content;
use super::directory::Directory;
use super::environment::Event;
use super::recorder::{Fate, Fault, Faults, Machine, Program, Recorded};
use super::site::Site;
use crate::Error;
use crate::fs::Call;

thread_local! {
    static MACHINE: RefCell<Option<Machine>> = const { RefCell::new(None) };
}

fn with<R>(act: impl FnOnce(&mut Machine) -> R) -> Option<R> {
    MACHINE.with_borrow_mut(|machine| machine.as_mut().map(act))
}

/// Starts this thread's machine; what is asked for at `left_out` is never done.
pub(super) fn start(directory: Directory, left_out: Option<Site>) {
    MACHINE.set(Some(Machine::new(directory, left_out)));
}

/// Stops it, and returns what it recorded.
pub(super) fn stop() -> Machine {
    MACHINE.take().expect("a machine runs")
}

/// Runs a program; `robs`: the system has taken all locks from those that run already.
pub(super) fn run(faults: Faults, robs: bool, program: impl FnOnce()) {
    with(|machine| machine.begin(faults, robs));
    program();
    with(|machine| machine.programs.pop());
}

/// Whether the program was killed: what is left of it to run does nothing.
pub(super) fn is_dead() -> bool {
    with(|machine| machine.living().is_none()).unwrap_or(false)
}

/// Whether the program was alone, and nothing came in its way.
pub(super) fn is_undisturbed() -> bool {
    let is = |program: &mut Program| !program.was_paused && !program.was_faulted;
    with(|machine| machine.living().is_some_and(is)).unwrap_or(false)
}

/// Notes what was done that no call shows.
pub(super) fn note(event: Event) {
    with(|machine| {
        if machine.living().is_some() {
            machine.events.push(Recorded::Environment(event));
        }
    });
}

/// Someone else puts a file into the data directory.
pub(super) fn drop_in(name: &str, text: &str) {
    let (content, path) = (Content::new(text), with(|machine| machine.directory.root().join(name)));
    let Some(path) = path else { return };
    content.lay_out(&path).expect("the name is free");
    with(|machine| {
        let place = machine.directory.made(&path, true).expect("it was just made");
        machine.events.push(Recorded::Disk(Change::Dropped(place, content)));
    });
}

/// Someone else deletes a file from the data directory.
#[expect(clippy::disallowed_methods, reason = "it is not the protocol that does it")]
pub(super) fn take_away(name: &str) {
    let Some(path) = with(|machine| machine.directory.root().join(name)) else { return };
    std::fs::remove_file(&path).expect("it is there");
    with(|machine| {
        let (_, place) = machine.directory.gone(&path);
        machine.events.push(Recorded::Disk(Change::TakenAway(place)));
    });
}

/// Notes that a program gave up, which none may.
pub(super) fn give_up(why: &str) {
    with(|machine| {
        if machine.living().is_some() {
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
        Fate::Faulted(Fault::Pause(meanwhile)) => meanwhile(),
        Fate::Faulted(Fault::FailAfterwards) => {
            let made = make()?;
            drop(made);
            with(|machine| machine.record(call, true));
            return Err(failure());
        }
        Fate::Faulted(_) => {
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

fn failure() -> io::Error {
    io::Error::from_raw_os_error(libc::EIO)
}

fn nothing<T: 'static>() -> T {
    let nothing: Box<dyn Any> = Box::new(());
    *nothing.downcast().expect("only syncs and renames are left out, which give nothing")
}
