//! What runs in a campaign: a replica of every stage on each node.

use std::time::{Duration, Instant};

use end_to_end::{Node, Running, STAGES, wait_for};
use rustix::process::Signal;

use crate::place::Place;

/// How long a stopped owner waits at most for the other node to take over; it may be busy with a batch of its own.
const TAKEOVER: Duration = Duration::from_secs(10);
/// What a program says that finds its volume away when it starts, and ends: no other end is allowed.
const AWAY: &str = "(--data-dir) cannot be";

struct Replica {
    node: Node,
    stage: &'static str,
    running: Running,
}

/// All that runs.
pub(crate) struct Fleet<'a> {
    place: &'a Place,
    settle: &'static str,
    replicas: Vec<Replica>,
    /// How often a sender, by then, may have lost what it had not yet noted.
    pub(crate) ends_of_senders: u64,
    /// What was done to them.
    pub(crate) done: Vec<String>,
}

impl<'a> Fleet<'a> {
    pub(crate) fn start(place: &'a Place, settle: &'static str) -> Self {
        let each = Node::ALL.into_iter().flat_map(|node| STAGES.iter().map(move |stage| (node, stage.name)));
        let start = |(node, stage)| Replica { node, stage, running: place.start(node, stage, settle) };
        let replicas = each.map(start).collect();
        Fleet { place, settle, replicas, ends_of_senders: 0, done: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.replicas.len()
    }

    fn note(&mut self, what: &str, index: usize) {
        let Replica { node, stage, .. } = &self.replicas[index];
        self.done.push(format!("{what} {stage} on {node:?}"));
        self.ends_of_senders += u64::from(*stage == "json-to-api");
    }

    fn start_again(&mut self, index: usize) {
        let Replica { node, stage, .. } = self.replicas[index];
        let running = self.place.start(node, stage, self.settle);
        let before = std::mem::replace(&mut self.replicas[index].running, running);
        self.check(&before.log());
    }

    /// Kills a replica, and starts it again.
    pub(crate) fn kill(&mut self, index: usize) {
        self.note("kill", index);
        self.replicas[index].running.signal(Signal::KILL);
        self.replicas[index].running.wait();
        self.start_again(index);
    }

    /// Stops a replica in order, and starts it again.
    pub(crate) fn restart(&mut self, index: usize) {
        self.note("restart", index);
        self.replicas[index].running.signal(Signal::TERM);
        self.replicas[index].running.wait();
        self.start_again(index);
    }

    /// Stops a replica that has a batch in hand until the other has taken over, and then lets it go on.
    pub(crate) fn stall(&mut self, index: usize) {
        let stage = self.replicas[index].stage;
        let Some(claim) = self.place.data.claim(stage) else { return };
        self.note("stall", index);
        let running = &self.replicas[index].running;
        running.signal(Signal::STOP);
        // It may be the other's, which is a case, too: an owner that works has lost its lock.
        self.place.data.lose_lock(&claim);
        let end = Instant::now() + TAKEOVER;
        while claim.exists() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        running.signal(Signal::CONT);
    }

    /// Counts all senders as ended once: they, or some of their requests, failed.
    pub(crate) fn count_outage(&mut self, what: String) {
        self.done.push(what);
        self.ends_of_senders += 2;
    }

    /// Starts again whoever has ended.
    ///
    /// # Panics
    /// One has ended for another reason than its volume.
    pub(crate) fn tend(&mut self) {
        for index in 0..self.replicas.len() {
            let replica = &mut self.replicas[index];
            if replica.running.ended().is_some() {
                replica.running.wait();
                let (stage, log) = (replica.stage, replica.running.log());
                let last = log.lines().last().unwrap_or_default();
                assert!(last.contains(AWAY), "{stage} has ended: {log}");
                self.done.push(format!("{stage} ended: {last}"));
                self.start_again(index);
            }
        }
    }

    fn check(&mut self, log: &str) {
        let panic = log.lines().find(|line| line.contains("panicked"));
        assert_eq!(panic, None, "{log}");
        self.ends_of_senders += log.lines().filter(|line| line.contains("trying again in")).count() as u64;
    }

    /// Stops all in order, and looks through what they said.
    pub(crate) fn stop(&mut self) {
        for mut replica in std::mem::take(&mut self.replicas) {
            wait_for("a program's start", || {
                let started = replica.running.log().contains("admin port open");
                (started || replica.running.ended().is_some()).then_some(())
            });
            let log = replica.running.stop();
            self.check(&log);
        }
    }
}
