//! Lifetimes of the volume, drawn at random: programs come and go, are killed, robbed and lied to, and the power is cut.

use std::path::Path;

use fastrand::Rng;

use super::batch_file::BatchFile;
use super::change::Rule;
use super::machine;
use super::recorder::{Fault, Faults};
use super::run::{Run, State};
use super::stages::{Abilities, Program, STAGES};
use super::survival::Survival;

/// What the lines of a file come to; `d` is refused by drafts alone.
const FATES: [&str; 13] =
    [".", "..", ".0.1.2", "0", "2.", ".....", ".1", "..2..2", "d.", ".d0d", "z.", "0.z", "x."];
/// So many cuts are tried on one run: the cut is cheap, the run is not.
const CUTS: usize = 8;
/// A program makes about as many calls.
const CALLS: usize = 60;

/// One lifetime.
pub(super) struct Lifetime {
    rng: Rng,
    files: usize,
    /// How often the power was cut.
    pub(super) cuts: u64,
}

impl Lifetime {
    pub(super) fn new(seed: u64) -> Self {
        Lifetime { rng: Rng::with_seed(seed), files: 0, cuts: 0 }
    }

    /// Lives it. The error says which promise was broken.
    pub(super) fn live(&mut self, rule: Rule) -> Result<(), String> {
        let first = self.first_run(rule)?;
        for _ in 0..CUTS {
            let mut state = self.cut(&first)?;
            while self.rng.u8(..3) == 0 {
                state = self.run(&state).and_then(|run| self.cut(&run))?;
            }
            state.finish(None)?;
        }
        Ok(())
    }

    /// What happens before the first cut.
    pub(super) fn first_run(&mut self, rule: Rule) -> Result<Run, String> {
        let abilities = Abilities::of(self.rng.u8(..4) > 0, self.rng.u8(..4) > 0);
        let abilities = Abilities { archives: self.rng.bool(), ..abilities };
        let files: Vec<_> = (0..self.rng.usize(1..=3)).map(|_| self.file(0)).collect();
        self.run(&State::new(rule, abilities, &files))
    }

    fn cut(&mut self, run: &Run) -> Result<State, String> {
        self.cuts += 1;
        let (calls, last) = (&run.machine.calls, run.machine.events.len());
        let call = if self.rng.u8(..8) > 0 { self.rng.choice(calls) } else { None };
        let events = call.map_or(last, |call| call.events);
        run.cut(events, &mut Survival::draw(&mut self.rng))
    }

    fn run(&mut self, state: &State) -> Result<Run, String> {
        state.run(None, |root, abilities| {
            for _ in 0..self.rng.usize(1..=5) {
                let program = self.program();
                let faults = self.faults(&program, root, abilities);
                machine::run(faults, false, || program.run(root, abilities));
            }
        })
    }

    fn program(&mut self) -> Program {
        let stage = self.rng.usize(..STAGES.len());
        match self.rng.u8(..12) {
            0 | 1 => {
                let fates = self.fates();
                let draft = BatchFile::draft(&self.name(), fates);
                Program::Draft(Some((draft, self.rng.u8(..3) > 0)))
            }
            // What was sent already would get other keys.
            2 if stage + 1 < STAGES.len() => {
                Program::GiveBack(stage, self.rng.bool().then(|| self.file(stage)))
            }
            3 => Program::Discard(stage),
            4 => Program::Rest(stage),
            _ => Program::Stage(stage),
        }
    }

    /// Most programs meet some fault.
    fn faults(&mut self, program: &Program, root: &Path, abilities: Abilities) -> Faults {
        let mut faults = Faults::new();
        for _ in 0..self.rng.usize(..=2) {
            let fault = match self.rng.u8(..4) {
                0 => Fault::Kill,
                1 => Fault::Fail,
                2 => Fault::FailAfterwards,
                _ => self.pause(program, root, abilities),
            };
            faults.insert(self.rng.usize(1..=CALLS), fault);
        }
        faults
    }

    /// Another replica runs meanwhile, and may get the locks of the one that stands still.
    fn pause(&mut self, program: &Program, root: &Path, abilities: Abilities) -> Fault {
        let replica = match program {
            Program::Stage(stage)
            | Program::GiveBack(stage, _)
            | Program::Discard(stage)
            | Program::Rest(stage) => Program::Stage(*stage),
            Program::Draft(_) | Program::Collect(_) => Program::Draft(None),
        };
        let robs = self.rng.u8(..4) > 0;
        let mut faults = Faults::new();
        if self.rng.bool() {
            faults.insert(self.rng.usize(1..=CALLS), Fault::Kill);
        }
        let root = root.to_owned();
        Fault::Pause(Box::new(move || machine::run(faults, robs, || replica.run(&root, abilities))))
    }

    fn file(&mut self, stage: usize) -> BatchFile {
        let fates = self.fates();
        BatchFile::new(&self.name(), stage, fates)
    }

    fn fates(&mut self) -> &'static str {
        self.rng.choice(FATES).expect("there are some")
    }

    fn name(&mut self) -> String {
        self.files += 1;
        format!("file-{}", self.files)
    }
}
