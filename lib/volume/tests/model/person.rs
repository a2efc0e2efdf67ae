//! Someone who writes a file in place and knows nothing of the protocol.

use crate::names::{Content, WHOLE};
use crate::place::{CLAIMS, Place, Public, Slot};
use crate::protocol::{Event, Protocol, Steps};
use crate::state::{NO_CLAIM, Pc, Person, State, Worker};

impl Protocol {
    /// A file written in place: made and half written, perhaps closed and opened again by its name, written to its
    /// end, closed.
    pub(crate) fn add_person(&self, state: &State, steps: &mut Steps) {
        if !self.person || state.person.is_done {
            return;
        }
        let place = Place::public(0, Public::Plain);
        let mut add = |person: Person, change: fn(&mut State)| {
            let mut next = State { person, ..state.clone() };
            change(&mut next);
            steps.push((Event::Person(person), false, next));
        };
        let person = state.person;
        match (person.version, person.has_open) {
            (0, _) => add(Person { version: 1, has_open: true, is_done: false }, |next| {
                next.disk
                    .appear(Place::public(0, Public::Plain), Content { file: 0, version: WHOLE }.value());
                next.promises.made[0] = true;
            }),
            (version, true) => {
                add(Person { has_open: false, is_done: version == 2, ..person }, |_| {});
                // Where the kernel does not tell, the second look is taken to be right.
                if version == 1 && (self.leases || !state.was_looked_at_again()) {
                    add(Person { version: 2, ..person }, |next| {
                        if !next.reaches_a_reader() {
                            next.flaw = Some("what a person wrote is lost");
                        }
                    });
                }
            }
            (_, false) => {
                add(Person { is_done: true, ..person }, |_| {});
                if state.disk.seen.has(place) {
                    add(Person { has_open: true, ..person }, |_| {});
                }
            }
        }
    }
}

impl State {
    /// Size and time of a file that waits or is claimed.
    pub(crate) fn version(&self, file: usize) -> u8 {
        if file == 0 { self.person.version.max(WHOLE) } else { WHOLE }
    }

    /// Whether someone has a file open for writing.
    pub(crate) fn has_open(&self, file: usize) -> bool {
        file == 0 && self.person.has_open
    }

    /// Whether a worker's second look at the person's file is over.
    fn was_looked_at_again(&self) -> bool {
        let is_sure = |worker: &Worker| {
            let pcs = [Pc::SyncBeforeCommit, Pc::Commit, Pc::SyncCommit];
            worker.file == 0 && worker.claim != NO_CLAIM && pcs.contains(&worker.pc)
        };
        self.workers.iter().any(is_sure) || !self.reaches_a_reader()
    }

    /// Whether what is written to file 0 now will be read.
    fn reaches_a_reader(&self) -> bool {
        let is_file = |place| Content::of(self.disk.seen.get(place)).is_some_and(|content| content.file == 0);
        let waits = Public::ALL.into_iter().any(|name| is_file(Place::public(0, name)));
        let is_claimed = |claim| {
            is_file(Place::claim(claim, Slot::Input))
                && !self.disk.seen.has(Place::claim(claim, Slot::Output))
        };
        waits || (0..CLAIMS).any(is_claimed)
    }
}
