//! Runs that are written down, cut at each of their calls in every simple way.

use super::batch_file::BatchFile;
use super::change::Rule;
use super::machine;
use super::recorder::{Fault, Faults, Noted};
use super::run::{Run, State};
use super::site::Site;
use super::stages::{Abilities, Program, STAGES};
use super::survival::{How, Survival};

/// Programs that run one after the other, from the same start.
pub(super) struct Script {
    files: Vec<BatchFile>,
    programs: Vec<Program>,
    abilities: Abilities,
}

/// One program's fault: which program, at which of its calls, and what.
type Accident = (usize, usize, fn() -> Fault);

impl Script {
    fn new(files: &[&str], programs: Vec<Program>) -> Self {
        let files =
            files.iter().enumerate().map(|(index, fates)| BatchFile::new(&format!("file-{index}"), 0, fates));
        let abilities = Abilities::of(true, true);
        Script { files: files.collect(), programs, abilities }
    }

    /// The same where inputs are kept.
    pub(super) fn archiving(self) -> Self {
        Script { abilities: Abilities { archives: true, ..self.abilities }, ..self }
    }

    /// One file all the way.
    pub(super) fn whole_way() -> Self {
        Script::new(&[".0.1.2"], (0..STAGES.len()).map(Program::Stage).collect())
    }

    /// Files all the way, of which nothing is refused.
    pub(super) fn all_delivered(files: usize) -> Self {
        Script::new(&vec!["."; files], (0..STAGES.len()).map(Program::Stage).collect())
    }

    /// One file through one stage, where every published file gets a name of its own.
    pub(super) fn own_name() -> Self {
        let abilities = Abilities::of(false, false);
        Script { abilities, ..Script::new(&["."], vec![Program::Stage(0)]) }
    }

    /// What is published is taken by someone else before the power is cut.
    pub(super) fn collected() -> Self {
        let programs = [Program::Stage(0), Program::Stage(1), Program::Collect(1), Program::Stage(0)];
        Script::new(&["."], programs.to_vec())
    }

    /// One file through one stage.
    pub(super) fn one_stage() -> Self {
        Script::new(&["0."], vec![Program::Stage(0)])
    }

    /// One file that is refused as a whole.
    pub(super) fn refused() -> Self {
        Script::new(&["0x."], vec![Program::Stage(0)])
    }

    /// Every program twice: what the first leaves, the second finds.
    pub(super) fn pairs() -> Vec<Self> {
        let refusing = |name: &str, fates| Program::Draft(Some((BatchFile::draft(name, fates), true)));
        let draft = |name: &str| refusing(name, ".");
        let thrown_away = |fates| Program::Draft(Some((BatchFile::draft("thrown-away", fates), false)));
        let meanwhile = BatchFile::new("meanwhile", 0, ".");
        vec![
            Script::new(&[], vec![draft("draft"), draft("another")]),
            Script::new(&[], vec![refusing("refusing", "d.d0"), draft("another")]),
            Script::new(&[], vec![thrown_away("."), draft("another")]),
            Script::new(&[], vec![thrown_away("d."), draft("another")]),
            Script::new(&["0."], vec![Program::Stage(0), Program::Stage(0)]),
            Script::new(&["0."], vec![Program::Stage(0), Program::GiveBack(0, None)]),
            Script::new(&["."], vec![Program::GiveBack(0, None), Program::Stage(0)]),
            Script::new(&["."], vec![Program::GiveBack(0, Some(meanwhile)), Program::Stage(0)]),
            Script::new(&["0."], vec![Program::Discard(0), Program::Stage(0)]),
            Script::new(&["0z"], vec![Program::Stage(0), Program::Stage(0)]).archiving(),
            Script::new(&["x", "."], vec![Program::Stage(0), Program::Stage(0)]).archiving(),
            Script::new(&["x0"], vec![Program::Stage(0), Program::GiveBack(0, None)]),
            Script::delivered_by(Program::Discard(2)),
            Script::delivered_by(Program::Stage(2)).archiving(),
            Script::delivered_by(Program::Rest(2)),
            Script::taken_over(),
        ]
    }

    /// Delivered by one, or by another that takes over.
    pub(super) fn taken_over() -> Self {
        Script::delivered_by(Program::Stage(2))
    }

    fn delivered_by(first: Program) -> Self {
        let programs = [Program::Stage(0), Program::Stage(1), first, Program::Stage(2)];
        Script::new(&["2...2"], programs.to_vec())
    }

    /// Runs it.
    pub(super) fn run(
        &self,
        rule: Rule,
        left_out: Option<&Site>,
        accident: Option<Accident>,
    ) -> Result<Run, String> {
        State::new(rule, self.abilities, &self.files).run(left_out, |root, abilities| {
            for (index, program) in self.programs.iter().enumerate() {
                let fault = accident.filter(|(program, _, _)| *program == index);
                let faults: Faults = fault.map(|(_, call, fault)| (call, fault())).into_iter().collect();
                machine::run(faults, false, || program.clone().run(root, abilities));
            }
        })
    }

    /// Cuts the power at every call.
    pub(super) fn cut_everywhere(&self, rule: Rule, left_out: Option<&Site>) -> Result<(), String> {
        let run = self.run(rule, left_out, None)?;
        cut_at_each(&run, &run.machine.calls, left_out)
    }

    /// Cuts the power at every call; where that leaves a file under two names, a stage is the first to recover, and
    /// the power is cut again at each of its calls, so that all is lost that it did not sync.
    pub(super) fn cut_twice(
        &self,
        left_out: Option<&Site>,
        mut each: impl FnMut(&Run),
    ) -> Result<(), String> {
        let rule = Rule::OldNameStays;
        let run = self.run(rule, None, None)?;
        for Noted { events, .. } in &run.machine.calls {
            for number in 0..=changes(&run, *events)? {
                let state = run.cut(*events, &mut Survival::new(How::AllBut(number)))?;
                for first in (0..STAGES.len()).filter(|_| state.disk.has_two_names()) {
                    let recovery = state.run(left_out, |root, abilities| {
                        machine::run(Faults::new(), false, || Program::Stage(first).run(root, abilities));
                    })?;
                    each(&recovery);
                    for call in &recovery.machine.calls {
                        let cut = recovery.cut(call.events, &mut Survival::new(How::Nothing))?;
                        cut.finish(left_out)?;
                    }
                    recovery.end()?.finish(left_out)?;
                }
            }
        }
        Ok(())
    }

    /// Kills the last program but one at its first write, then cuts the power at every call of the last.
    pub(super) fn cut_everywhere_after_a_kill(
        &self,
        rule: Rule,
        left_out: Option<&Site>,
    ) -> Result<(), String> {
        let (killed, run) = (self.programs.len() - 2, self.run(rule, left_out, None)?);
        let mut programs = 0;
        let first_write = run.machine.calls.iter().find(|call| {
            programs += usize::from(call.number == 1);
            programs == killed + 1 && call.act == "write"
        });
        let kill: fn() -> Fault = || Fault::Kill;
        let accident = first_write.map(|call| (killed, call.number, kill));
        let run = self.run(rule, left_out, accident)?;
        let calls = &run.machine.calls;
        let last = calls.iter().rposition(|call| call.number == 1).unwrap_or_default();
        cut_at_each(&run, &calls[last..], left_out)
    }

    /// Faults the last program but one at each of its calls in turn, then cuts the power at the end.
    pub(super) fn fault_everywhere(
        &self,
        rule: Rule,
        left_out: Option<&Site>,
        fault: fn() -> Fault,
    ) -> Result<(), String> {
        self.faulted(rule, left_out, fault).try_for_each(|run| {
            let run = run?;
            cut_at(&run, run.machine.events.len(), left_out)
        })
    }

    /// Faults the last program but one at each of its calls in turn, and finishes what it was about.
    pub(super) fn finish_in_spite_of(&self, fault: fn() -> Fault) -> Result<(), String> {
        self.faulted(Rule::Either, None, fault).try_for_each(|run| run?.end()?.finish(None).map(drop))
    }

    /// Runs in each of which another call of the last program but one is faulted.
    pub(super) fn faulted(
        &self,
        rule: Rule,
        left_out: Option<&Site>,
        fault: fn() -> Fault,
    ) -> impl Iterator<Item = Result<Run, String>> {
        let runs = (1..).map(move |call| {
            let run = self.run(rule, left_out, Some((self.programs.len() - 2, call, fault)));
            run.map_err(|error| format!("fault at call {call}: {error}"))
        });
        runs.take_while(|run| !matches!(run, Ok(run) if !run.machine.was_faulted))
    }
}

/// How many changes a cut has to choose from.
fn changes(run: &Run, events: usize) -> Result<usize, String> {
    let mut survival = Survival::new(How::Everything);
    run.cut(events, &mut survival)?;
    Ok(survival.asked())
}

/// Where something is left out, nothing is wrong before that.
fn cut_at_each(run: &Run, calls: &[Noted], left_out: Option<&Site>) -> Result<(), String> {
    let mut calls = calls.iter().skip_while(|call| left_out.is_some() && !call.is_left_out);
    calls.try_for_each(|Noted { events, .. }| {
        cut_at(run, *events, left_out).map_err(|error| format!("cut after {events} events: {error}"))
    })
}

/// Cuts the power once for each of the ways that differ in one change from all or nothing.
fn cut_at(run: &Run, events: usize, left_out: Option<&Site>) -> Result<(), String> {
    let cut = |how| {
        let mut survival = Survival::new(how);
        let state = run.cut(events, &mut survival).map_err(|error| format!("{how:?}: {error}"))?;
        state.finish(left_out).map_err(|error| format!("{how:?}: {error}"))?;
        Ok::<_, String>(survival.asked())
    };
    cut(How::Nothing)?;
    let changes = cut(How::Everything)?;
    for change in 0..changes {
        cut(How::Only(change))?;
        cut(How::AllBut(change))?;
    }
    Ok(())
}
