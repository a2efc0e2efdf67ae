//! One run of programs on a disk, from one power cut to the next.

use std::path::Path;

use super::batch_file::BatchFile;
use super::change::{ROOT, Rule};
use super::content::Content;
use super::directory::Directory;
use super::disk::Disk;
use super::environment::{Environment, Event};
use super::machine;
use super::promises;
use super::recorder::{Faults, Machine, Recorded};
use super::site::Site;
use super::stages::{Abilities, Program, STAGES};
use super::survival::{How, Survival};

/// What there is when the power comes back.
#[derive(Clone)]
pub(super) struct State {
    pub(super) disk: Disk,
    pub(super) environment: Environment,
    pub(super) abilities: Abilities,
}

/// All that happened in a run.
pub(super) struct Run {
    start: State,
    pub(super) machine: Machine,
}

impl State {
    /// A data directory in which files wait, and some that are none of ours.
    pub(super) fn new(rule: Rule, abilities: Abilities, files: &[BatchFile]) -> Self {
        let (mut disk, mut environment) = (Disk::new(rule), Environment::default());
        for (index, file) in files.iter().enumerate() {
            let id = if index == 0 { String::new() } else { format!("-{index}") };
            let name = format!("listing{id}.txt{}", file.suffix());
            disk.hold((ROOT, name), Some(Content::new(&file.text(0))));
            environment.apply(Event::PutIn(file.clone())).expect("nothing is promised of it yet");
        }
        promises::add_foreign(&mut disk);
        let renames_as_one = rule != Rule::OldNameStays;
        State { disk, environment, abilities: Abilities { renames_as_one, ..abilities } }
    }

    /// Runs programs until they are through, and checks what they did on the way.
    pub(super) fn run(
        &self,
        left_out: Option<&Site>,
        programs: impl FnOnce(&Path, Abilities),
    ) -> Result<Run, String> {
        let (directory, disk) = Directory::lay_out(&self.disk).map_err(|error| error.to_string())?;
        let root = directory.root().to_owned();
        machine::start(directory, left_out.cloned());
        programs(&root, self.abilities);
        let run = Run { start: State { disk, ..self.clone() }, machine: machine::stop() };
        if let Some(complaint) = run.machine.complaints.first() {
            return Err(complaint.clone());
        }
        run.end()?;
        Ok(run)
    }

    /// Runs every stage to its end, undisturbed, and checks that nothing is lost, left or doubled.
    pub(super) fn finish(&self, left_out: Option<&Site>) -> Result<Run, String> {
        let run = self.run(left_out, |root, abilities| {
            machine::run(Faults::new(), false, || {
                let Some(volume) = abilities.open(root) else { return };
                Program::Draft(None).work(&volume);
                (0..STAGES.len()).map(Program::Stage).for_each(|stage| stage.work(&volume));
            });
        })?;
        let end = run.end()?;
        promises::are_kept_in_the_end(&end.disk, &end.environment, end.abilities.archives)?;
        Ok(run)
    }
}

impl Run {
    /// What is left of it where the power is cut after so many events.
    pub(super) fn cut(&self, events: usize, survival: &mut Survival) -> Result<State, String> {
        let State { mut disk, mut environment, abilities } = self.start.clone();
        for event in &self.machine.events[..events] {
            match event.clone() {
                Recorded::Disk(change) => disk.apply(change),
                Recorded::Environment(event) => environment.apply(event)?,
            }
        }
        let disk = disk.cut(survival);
        promises::are_kept_at_any_time(&disk, &environment)?;
        Ok(State { disk, environment, abilities })
    }

    /// What is there in the end, without a power cut.
    pub(super) fn end(&self) -> Result<State, String> {
        self.cut(self.machine.events.len(), &mut Survival::new(How::Everything))
    }
}
