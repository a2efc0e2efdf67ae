//! Runs that are written down, cut at each of their calls in every simple way.

use super::batch_file::BatchFile;
use super::change::Rule;
use super::luck::{How, Luck};
use super::machine;
use super::recorder::{Noted, Trouble, Troubles};
use super::run::{Run, State};
use super::site::Site;
use super::stages::{Abilities, Program, STAGES};

/// Programs that run one after the other, from the same start.
pub(super) struct Script {
    files: Vec<BatchFile>,
    programs: Vec<Program>,
    abilities: Abilities,
}

/// One program's trouble: which program, at which of its calls, and what.
type Accident = (usize, usize, fn() -> Trouble);

impl Script {
    fn new(files: &[&str], programs: Vec<Program>) -> Self {
        let files =
            files.iter().enumerate().map(|(index, fates)| BatchFile::new(&format!("file-{index}"), 0, fates));
        Script { files: files.collect(), programs, abilities: Abilities { no_replace: true, leases: true } }
    }

    /// One file all the way.
    pub(super) fn whole_way() -> Self {
        Script::new(&[".0.1.2"], (0..STAGES.len()).map(Program::Stage).collect())
    }

    /// One file through one stage, where every published file gets a name of its own.
    pub(super) fn own_name() -> Self {
        let abilities = Abilities { no_replace: false, leases: false };
        Script { abilities, ..Script::new(&["."], vec![Program::Stage(0)]) }
    }

    /// Every program twice: what the first leaves, the second finds.
    pub(super) fn pairs() -> Vec<Self> {
        let draft = |name: &str| Program::Draft(Some((BatchFile::draft(name, "."), true)));
        let thrown_away = Program::Draft(Some((BatchFile::draft("thrown-away", "."), false)));
        let meanwhile = BatchFile::new("meanwhile", 0, ".");
        vec![
            Script::new(&[], vec![draft("draft"), draft("another")]),
            Script::new(&[], vec![thrown_away, draft("another")]),
            Script::new(&["0."], vec![Program::Stage(0), Program::Stage(0)]),
            Script::new(&["0."], vec![Program::Stage(0), Program::GiveBack(0, None)]),
            Script::new(&["."], vec![Program::GiveBack(0, None), Program::Stage(0)]),
            Script::new(&["."], vec![Program::GiveBack(0, Some(meanwhile)), Program::Stage(0)]),
            Script::taken_over(),
        ]
    }

    /// Delivered by one, or by another that takes over.
    pub(super) fn taken_over() -> Self {
        let programs = [0, 1, 2, 2].map(Program::Stage).to_vec();
        Script::new(&["2...2"], programs)
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
                let trouble = accident.filter(|(program, _, _)| *program == index);
                let troubles: Troubles =
                    trouble.map(|(_, call, trouble)| (call, trouble())).into_iter().collect();
                machine::run(troubles, false, || program.clone().run(root, abilities));
            }
        })
    }

    /// Cuts the power at every call.
    pub(super) fn cut_everywhere(&self, rule: Rule, left_out: Option<&Site>) -> Result<(), String> {
        let run = self.run(rule, left_out, None)?;
        cut_at_each(&run, &run.machine.calls, left_out)
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
        let kill: fn() -> Trouble = || Trouble::Kill;
        let accident = first_write.map(|call| (killed, call.number, kill));
        let run = self.run(rule, left_out, accident)?;
        let calls = &run.machine.calls;
        let last = calls.iter().rposition(|call| call.number == 1).unwrap_or_default();
        cut_at_each(&run, &calls[last..], left_out)
    }

    /// Troubles the last program but one at each of its calls in turn, then cuts the power at the end.
    pub(super) fn trouble_everywhere(
        &self,
        rule: Rule,
        left_out: Option<&Site>,
        trouble: fn() -> Trouble,
    ) -> Result<(), String> {
        self.troubled(rule, left_out, trouble).try_for_each(|run| {
            let run = run?;
            cut_at(&run, run.machine.events.len(), left_out)
        })
    }

    /// Troubles the last program but one at each of its calls in turn, and finishes what it was about.
    pub(super) fn finish_in_spite_of(&self, trouble: fn() -> Trouble) -> Result<(), String> {
        self.troubled(Rule::Either, None, trouble).try_for_each(|run| run?.end()?.finish(None).map(drop))
    }

    /// Runs in each of which another call of the last program but one is troubled.
    pub(super) fn troubled(
        &self,
        rule: Rule,
        left_out: Option<&Site>,
        trouble: fn() -> Trouble,
    ) -> impl Iterator<Item = Result<Run, String>> {
        let runs = (1..).map(move |call| {
            let run = self.run(rule, left_out, Some((self.programs.len() - 2, call, trouble)));
            run.map_err(|error| format!("trouble at call {call}: {error}"))
        });
        runs.take_while(|run| !matches!(run, Ok(run) if !run.machine.was_troubled))
    }
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
        let mut luck = Luck::new(how);
        let state = run.cut(events, &mut luck).map_err(|error| format!("{how:?}: {error}"))?;
        state.finish(left_out).map_err(|error| format!("{how:?}: {error}"))?;
        Ok::<_, String>(luck.asked())
    };
    cut(How::Nothing)?;
    let changes = cut(How::Everything)?;
    for change in 0..changes {
        cut(How::Only(change))?;
        cut(How::AllBut(change))?;
    }
    Ok(())
}
