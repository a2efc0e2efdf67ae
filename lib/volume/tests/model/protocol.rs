//! The protocol as a model: who takes part, what can go wrong, and what can happen next in a state.

use crate::explore::Model;
use crate::invariants;
use crate::mutations::Mutation;
use crate::names::{Content, Names, WHOLE};
use crate::place::{CLAIMS, FILES, Place, Public, Slot, small};
use crate::state::{Faults, Pc, Person, State, Worker};
use crate::steps::{Choice, Turn};

/// A configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Protocol {
    /// The stage of each worker; stage 0 makes the files that do not wait from the start.
    pub(crate) stages: &'static [u8],
    /// How many files there are.
    pub(crate) files: usize,
    /// How many of them wait at the first stage that takes any, the first under the plain name.
    pub(crate) waiting: usize,
    /// Directories of claims at a time: with so many, idle workers make no more, but tidy up.
    pub(crate) claims: usize,
    /// Whether a claim's directory is made, taken over and removed in one step each.
    pub(crate) coarse: bool,
    /// Whether file 0 is written in place, by someone who knows nothing of the protocol.
    pub(crate) person: bool,
    /// Whether the kernel tells who has a file open for writing.
    pub(crate) leases: bool,
    pub(crate) faults: Faults,
    pub(crate) without: Option<Mutation>,
}

/// What happens.
#[derive(Debug)]
#[expect(dead_code, reason = "it is what the trace shows")]
pub(crate) enum Event {
    Step {
        worker: usize,
        claim: u8,
        pc: Pc,
        choice: Choice,
    },
    Crash {
        worker: usize,
    },
    /// The owner lives on and does not know.
    LockLost {
        worker: usize,
    },
    PowerCut,
    Person(Person),
}

pub(crate) type Steps = Vec<(Event, bool, State)>;

impl Model for Protocol {
    type State = State;
    type Step = Event;

    fn initial(&self) -> State {
        let mut names = Names::default();
        let first = self.stages.iter().find(|stage| **stage > 0).map_or(0, |stage| stage - 1);
        for file in 0..self.waiting {
            let name = if file == 0 { Public::Plain } else { Public::Id(file) };
            names.set(Place::public(first, name), Content { file, version: WHOLE }.value());
        }
        let mut state = State::new(self.stages, names, self.faults);
        state.promises.made[..self.waiting].fill(true);
        state
    }

    fn next(&self, state: &State, steps: &mut Steps) {
        for worker in 0..state.workers.len() {
            for choice in self.choices(state, worker) {
                let (mut next, Worker { claim, pc, .. }) = (state.clone(), state.workers[worker]);
                self.turn(&mut next, worker).go_on(choice);
                steps.push((Event::Step { worker, claim, pc, choice }, false, next));
            }
        }
        self.add_person(state, steps);
        self.add_faults(state, steps);
    }

    fn fingerprint(&self, state: &State) -> u64 {
        state.fingerprint()
    }

    fn flaw(&self, state: &State) -> Option<String> {
        invariants::flaw(self, state).map(str::to_owned)
    }

    fn flaw_at_end(&self, state: &State) -> Option<String> {
        invariants::flaw_at_end(self, state).map(str::to_owned)
    }
}

impl Protocol {
    pub(crate) fn turn<'a>(&'a self, state: &'a mut State, who: usize) -> Turn<'a> {
        Turn { protocol: self, state, who }
    }

    fn choices(&self, state: &State, who: usize) -> Vec<Choice> {
        let worker = state.workers[who];
        match worker.pc {
            Pc::Idle => self.choices_of_idle(state, worker),
            Pc::TakeInput => {
                let mut choices: Vec<_> = names(state, worker.stage - 1).map(Choice::Take).collect();
                // The name that was seen may be gone by now, whatever else waits.
                if choices.len() < self.files {
                    choices.push(Choice::Pass);
                }
                choices
            }
            Pc::RaiseGeneration | Pc::Post => vec![Choice::Go, Choice::Pass],
            Pc::Judge if self.leases && state.has_open(usize::from(worker.file)) => vec![],
            _ => vec![Choice::Go],
        }
    }

    /// `Scanner::next`, `Volume::recover_drafts` and `Volume::begin_draft`, in any order and at any time.
    fn choices_of_idle(&self, state: &State, worker: Worker) -> Vec<Choice> {
        let orphans = (0..CLAIMS).filter(|claim| self.may_be_orphan(state, *claim, worker.stage));
        let mut choices: Vec<_> = orphans.map(Choice::TakeOver).collect();
        if (0..CLAIMS).filter(|claim| state.is_in_use(*claim)).count() >= self.claims {
            return choices;
        }
        if worker.stage == 0 {
            let is_to_be_made =
                |file: &usize| !state.promises.made[*file] && invariants::copies(state, *file) == 0;
            choices.extend((0..self.files).find(is_to_be_made).map(Choice::Draft));
        } else {
            let extension = worker.stage - 1;
            let complete =
                names(state, extension).filter(|name| self.looks_complete(state, extension, *name));
            // Where the move comes later, it is decided then which file it is.
            let distinct = if self.coarse && !self.has_cuts() { FILES } else { 1 };
            choices.extend(complete.take(distinct).map(Choice::Take));
        }
        choices
    }

    /// Whether a claim of the stage can be tried. Where open and lock are one step, not if the lock is held.
    fn may_be_orphan(&self, state: &State, claim: usize, stage: u8) -> bool {
        let directory = state.disk.seen.get(Place::claim(claim, Slot::Directory));
        if directory == 0 || directory >> 4 != stage {
            return false;
        }
        let lock = state.disk.seen.get(Place::claim(claim, Slot::Lock));
        !self.coarse || self.lacks(Mutation::Lock) || !state.is_held(small(claim), lock, usize::MAX)
    }

    /// `Scanner::try_file`: `complete::look`
    fn looks_complete(&self, state: &State, extension: u8, name: Public) -> bool {
        let content = Content::of(state.disk.seen.get(Place::public(extension, name)));
        content.is_some_and(|content| !self.leases || !state.has_open(content.file))
    }
}

fn names(state: &State, extension: u8) -> impl Iterator<Item = Public> {
    Public::ALL.into_iter().filter(move |name| state.disk.seen.has(Place::public(extension, *name)))
}
