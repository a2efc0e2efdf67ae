//! Who breaks things: all faults in a random order, then all again, so that each has its turn.

use std::fs::File;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use end_to_end::{DataDir, STAGES, Stage};
use rustix::process::Signal;

use crate::disk::FrailDisk;
use crate::environment::Environment;
use crate::fleet::Fleet;

/// How long a stopped owner waits at most for another to take over; it may be busy with a batch of its own.
const TAKEOVER: Duration = Duration::from_secs(10);
/// How long a fault waits for something that it can hit.
const SEARCH: Duration = Duration::from_secs(2);
const MOMENT: Duration = Duration::from_millis(5);

#[derive(Debug, Clone, Copy)]
enum Fault {
    Kill(&'static str),
    /// Stop an owner, let another take over, and continue the first.
    Stall(&'static str),
    Restart(&'static str),
    AddPod,
    RemovePod,
    KillPod,
    FullDisk,
    ReadOnly,
    ClockJump,
}

/// The one who breaks things.
pub(crate) struct Chaos<'a, 'b> {
    environment: &'a Environment,
    fleet: &'b mut Fleet<'a>,
    random: fastrand::Rng,
    /// Those that have not had their turn yet.
    coming: Vec<Fault>,
}

impl<'a, 'b> Chaos<'a, 'b> {
    pub(crate) fn new(environment: &'a Environment, fleet: &'b mut Fleet<'a>, random: fastrand::Rng) -> Self {
        Chaos { environment, fleet, random, coming: Vec::new() }
    }

    /// Breaks one thing after the other until the end.
    pub(crate) fn run(mut self) {
        while !self.environment.is_over() {
            self.environment.rest(&mut self.random, 100..1_200);
            self.fleet.tend();
            let fault = self.draw();
            self.cause(fault);
        }
    }

    fn draw(&mut self) -> Fault {
        if self.coming.is_empty() {
            for Stage { name: stage, .. } in &STAGES {
                let faults = [Fault::Kill(stage), Fault::Stall(stage)];
                self.coming.extend(faults.into_iter().cycle().take(5).chain([Fault::Restart(stage)]));
            }
            self.coming.extend([Fault::AddPod, Fault::AddPod, Fault::RemovePod, Fault::KillPod]);
            self.coming.extend([Fault::FullDisk, Fault::ReadOnly, Fault::ClockJump, Fault::ClockJump]);
            self.random.shuffle(&mut self.coming);
        }
        self.coming.pop().expect("it was just filled")
    }

    fn cause(&mut self, fault: Fault) {
        let figures = &self.environment.figures;
        match fault {
            Fault::Kill(stage) => self.kill(stage),
            Fault::Stall(stage) => self.stall(stage),
            Fault::Restart(stage) => {
                let replica = self.fleet.draw(stage, &mut self.random);
                if replica.ended().is_none() {
                    replica.stop();
                    replica.start_again();
                    figures.count("replicas restarted in order");
                }
            }
            Fault::AddPod => {
                if self.fleet.add_pod() {
                    figures.count("api pods added");
                }
            }
            Fault::RemovePod => {
                if self.fleet.remove_pod(false, &mut self.random) {
                    figures.count("api pods removed");
                }
            }
            Fault::KillPod => {
                if self.fleet.remove_pod(true, &mut self.random) {
                    figures.count("kills of api");
                }
            }
            Fault::FullDisk => self.spell("full-disk spells", FrailDisk::fill, FrailDisk::clear),
            Fault::ReadOnly => {
                self.spell("read-only spells", FrailDisk::make_read_only, FrailDisk::make_writable)
            }
            Fault::ClockJump => self.jump(),
        }
    }

    fn kill(&mut self, stage: &'static str) {
        let replica = self.fleet.draw(stage, &mut self.random);
        replica.kill();
        replica.start_again();
        self.environment.figures.count(&format!("kills of {stage}"));
    }

    fn stall(&mut self, stage: &'static str) {
        let replica = self.fleet.draw(stage, &mut self.random);
        // Only one that has a batch in hand is worth it.
        let give_up = Instant::now() + SEARCH;
        while Instant::now() < give_up && replica.freeze() {
            let claims = replica.open_files("lock");
            let claim =
                claims.iter().filter_map(|lock| lock.parent()).find(|claim| DataDir::has_input(claim));
            if let Some(claim) = claim {
                self.environment.figures.count("owners stopped");
                if stage == "json-to-api" {
                    self.environment.figures.count("of them of json-to-api");
                }
                self.environment.data.lose_lock(claim);
                let end = Instant::now() + TAKEOVER;
                while claim.exists() && Instant::now() < end {
                    thread::sleep(MOMENT);
                }
                if !claim.exists() {
                    self.environment.figures.count("owners revived after a takeover");
                }
                return replica.signal(Signal::CONT);
            }
            replica.signal(Signal::CONT);
            thread::sleep(MOMENT);
        }
    }

    /// Breaks the disk for a while; meanwhile someone may die and come back.
    fn spell(&mut self, name: &'static str, breaks: fn(&FrailDisk), mends: fn(&FrailDisk)) {
        let Some(disk) = &self.environment.disk else { return };
        let _broken = self.environment.disk_is_well.write().unwrap();
        breaks(disk);
        self.environment.rest(&mut self.random, 200..1_500);
        if self.random.bool() {
            let stage = STAGES[self.random.usize(..STAGES.len())].name;
            self.kill(stage);
        }
        self.environment.rest(&mut self.random, 200..1_500);
        mends(disk);
        self.environment.figures.count(name);
    }

    /// Changes the time of a file that waits: who is about to take it finds another than it looked at.
    fn jump(&mut self) {
        let give_up = Instant::now() + SEARCH;
        while Instant::now() < give_up {
            // Not of documents: one that is being delivered would be another content, with other keys.
            let waiting = ["txt", "csv"].map(|extension| self.environment.data.waiting(extension)).concat();
            let Some(name) = self.random.choice(waiting) else {
                thread::sleep(MOMENT);
                continue;
            };
            let seconds = Duration::from_secs(self.random.u64(1..100_000_000));
            let now = SystemTime::now();
            let time = if self.random.bool() { now + seconds } else { now - seconds };
            // It may have been taken meanwhile.
            if File::open(self.environment.data.path().join(name))
                .is_ok_and(|file| file.set_modified(time).is_ok())
            {
                return self.environment.figures.count("clock jumps in file times");
            }
        }
    }
}
