//! What must hold in every state, and in one at which nothing is left to do.

use crate::names::{Content, Names, PARTIAL};
use crate::place::{CLAIMS, Place, Public, Slot};
use crate::protocol::Protocol;
use crate::state::State;
use crate::steps::{CONVERT, directory_value};

/// What is wrong with a state.
pub(crate) fn flaw(protocol: &Protocol, state: &State) -> Option<&'static str> {
    state.flaw.or_else(|| taken_from_its_owner(state)).or_else(|| {
        (0..protocol.files).find_map(|file| misplaced(state, file).or_else(|| torn(&state.disk.seen, file)))
    })
}

/// What is wrong with a state that no worker can change: nothing is in hand, all is at its end.
pub(crate) fn flaw_at_end(protocol: &Protocol, state: &State) -> Option<&'static str> {
    let names = &state.disk.seen;
    let last = protocol.stages.iter().copied().max().unwrap_or_default();
    let waits = |extension| Public::ALL.into_iter().any(|name| names.has(Place::public(extension, name)));
    if (0..CLAIMS).any(|claim| !names.is_free(claim)) {
        Some("something is in hand, and nobody sees to it")
    } else if (0..last).any(waits) {
        Some("a file waits, and nobody takes it")
    } else if state.promises.made[..protocol.files].contains(&false) {
        Some("a file was never made")
    } else {
        None
    }
}

/// A record is in one place: in how many a file's good records count.
pub(crate) fn copies(state: &State, file: usize) -> usize {
    let is = |place| is_of(&state.disk.seen, place, file);
    let mut copies = 0;
    let mut is_done = state.promises.finished[file];
    for extension in 0..2 {
        copies += Public::ALL.into_iter().filter(|name| is(Place::public(extension, *name))).count();
    }
    for claim in 0..CLAIMS {
        let has_output = is(Place::claim(claim, Slot::Output));
        // From the commit on the input does not count.
        if has_output || is(Place::claim(claim, Slot::Input)) {
            copies += 1;
        }
        // The claim is still there, and goes on to say that it is done.
        is_done &= !(has_output && stage(&state.disk.seen, claim) > CONVERT);
    }
    copies + usize::from(is_done)
}

fn misplaced(state: &State, file: usize) -> Option<&'static str> {
    match copies(state, file) {
        0 if state.promises.made[file] => return Some("a file is lost"),
        0 | 1 => {}
        _ => return Some("a file is in two places"),
    }
    if state.promises.finished[file] && !state.promises.answered[file] {
        return Some("a file is done that was not delivered");
    }
    let expected = usize::from(is_converted(state, file) && state.promises.refused[file]);
    for (public, slot) in [(Place::rejected(file), Slot::Rejected), (Place::reasons(file), Slot::Reasons)] {
        let names = &state.disk.seen;
        let mut found = usize::from(names.has(public));
        for claim in 0..CLAIMS {
            let counts = !is_uncommitted(names, claim) && is_of(names, Place::claim(claim, slot), file);
            found += usize::from(counts);
        }
        match found.cmp(&expected) {
            std::cmp::Ordering::Less => return Some("what was rejected is lost"),
            std::cmp::Ordering::Greater => return Some("what was rejected is in two places"),
            std::cmp::Ordering::Equal => {}
        }
    }
    None
}

/// Until the commit what was made of the input does not count.
fn is_uncommitted(names: &Names, claim: usize) -> bool {
    names.has(Place::claim(claim, Slot::Input)) && !names.has(Place::claim(claim, Slot::Output))
}

fn is_converted(state: &State, file: usize) -> bool {
    let names = &state.disk.seen;
    let is_behind = |claim| {
        let has_output = is_of(names, Place::claim(claim, Slot::Output), file);
        let has_input = is_of(names, Place::claim(claim, Slot::Input), file);
        match stage(names, claim) {
            0 => false,
            CONVERT => has_output,
            _ => has_output || has_input,
        }
    };
    let is_published = Public::ALL.into_iter().any(|name| is_of(names, Place::public(1, name), file));
    is_published || state.promises.finished[file] || (0..CLAIMS).any(is_behind)
}

/// A file appears whole, also after a power cut.
fn torn(names: &Names, file: usize) -> Option<&'static str> {
    let mut public =
        Public::ALL.into_iter().flat_map(|name| [Place::public(0, name), Place::public(1, name)]);
    let rejected = [Place::rejected(file), Place::reasons(file)];
    let is_torn = |place| Content::of(names.get(place)).is_some_and(|content| content.version == PARTIAL);
    (public.any(is_torn) || rejected.into_iter().any(is_torn)).then_some("a public file is not whole")
}

/// Who is alive and holds its lock loses its claim to nobody.
fn taken_from_its_owner(state: &State) -> Option<&'static str> {
    let is_taken = state.workers.iter().filter(|worker| worker.is_locked && worker.owns()).any(|worker| {
        let directory = state.disk.seen.get(Place::claim(usize::from(worker.claim), Slot::Directory));
        directory != directory_value(worker.stage, worker.generation)
    });
    is_taken.then_some("a claim is taken from an owner that holds its lock")
}

fn is_of(names: &Names, place: Place, file: usize) -> bool {
    Content::of(names.get(place)).is_some_and(|content| content.file == file)
}

fn stage(names: &Names, claim: usize) -> u8 {
    names.get(Place::claim(claim, Slot::Directory)) >> 4
}
