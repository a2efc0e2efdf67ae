//! The programs: replicas of each stage, and pods of the api.

use std::collections::HashMap;
use std::net::SocketAddr;

use end_to_end::{STAGES, api, stage, wait_for};

use crate::environment::Environment;
use crate::process::Process;
use crate::proxy::Proxy;

/// Of each stage.
const REPLICAS: usize = 2;
/// Documents in flight from one replica.
pub(crate) const IN_FLIGHT: u64 = 16;
const PODS: std::ops::RangeInclusive<usize> = 1..=5;

/// All that runs.
pub(crate) struct Fleet<'a> {
    environment: &'a Environment,
    proxy: &'a Proxy,
    /// By stage.
    replicas: HashMap<&'static str, Vec<Process>>,
    pods: Vec<(SocketAddr, Process)>,
    started_pods: usize,
    /// The diagnostics of those that are gone.
    gone: Vec<String>,
}

impl<'a> Fleet<'a> {
    pub(crate) fn start(environment: &'a Environment, proxy: &'a Proxy) -> Self {
        let start = |name: &'static str| -> Vec<Process> {
            (0..REPLICAS).map(|number| start_stage(environment, proxy, name, number)).collect()
        };
        let replicas = STAGES.iter().map(|stage| (stage.name, start(stage.name))).collect();
        let mut fleet =
            Fleet { environment, proxy, replicas, pods: Vec::new(), started_pods: 0, gone: Vec::new() };
        (0..3).for_each(|_| fleet.start_pod());
        fleet
    }

    /// A replica of a stage.
    pub(crate) fn draw(&mut self, stage: &str, random: &mut fastrand::Rng) -> &mut Process {
        let replicas = self.replicas.get_mut(stage).unwrap();
        let index = random.usize(..replicas.len());
        &mut replicas[index]
    }

    /// Starts again whoever has ended.
    ///
    /// # Panics
    /// One has ended though the disk was well.
    pub(crate) fn tend(&mut self) {
        for replica in self.replicas.values_mut().flatten() {
            if replica.ended().is_some() {
                let why = replica.last_words();
                assert!(replica.blames_the_disk(), "{} has ended: {why}", replica.program);
                self.environment.figures.count("ends because of the disk");
                replica.start_again();
            }
        }
    }

    /// Adds a pod, where there are not too many; false: there are.
    pub(crate) fn add_pod(&mut self) -> bool {
        let room = self.pods.len() < *PODS.end();
        if room {
            self.start_pod();
        }
        room
    }

    fn start_pod(&mut self) {
        let log = self.environment.logs.path().join(format!("api-{}", self.started_pods));
        self.started_pods += 1;
        let pod = Process::start("api", api(), log);
        let address = wait_for("a pod's address", || {
            let log = pod.log();
            let rest = log.split("listening address=").nth(1)?;
            rest.split_once(' ')?.0.parse().ok()
        });
        self.pods.push((address, pod));
        self.tell_the_proxy();
    }

    /// Takes a pod away where others are left, killed or in order; false: none are.
    pub(crate) fn remove_pod(&mut self, kill: bool, random: &mut fastrand::Rng) -> bool {
        if self.pods.len() <= *PODS.start() {
            return false;
        }
        let (_, mut pod) = self.pods.swap_remove(random.usize(..self.pods.len()));
        self.tell_the_proxy();
        if kill {
            pod.kill()
        } else {
            pod.stop()
        }
        self.gone.push(pod.log());
        true
    }

    fn tell_the_proxy(&self) {
        self.proxy.set_pods(self.pods.iter().map(|(address, _)| *address).collect());
    }

    /// Stops all in order, and looks through what they said.
    ///
    /// # Panics
    /// One does not end as it should, or has panicked.
    pub(crate) fn stop(&mut self) {
        // At once: a pod waits a little before it goes.
        std::thread::scope(|scope| {
            let pods = self.pods.iter_mut().map(|(_, pod)| pod);
            for process in self.replicas.values_mut().flatten().chain(pods) {
                scope.spawn(|| process.stop());
            }
        });
        let pods = self.pods.iter().map(|(_, pod)| pod.log()).chain(self.gone.iter().cloned());
        for log in self.replicas.values().flatten().map(Process::log).chain(pods) {
            let panic = log.lines().find(|line| line.contains("panicked"));
            assert_eq!(panic, None);
        }
    }

    /// In how many lines of a stage's diagnostics a text stands.
    pub(crate) fn log_lines(&self, stage: &str, text: &str) -> u64 {
        let logs = self.replicas[stage].iter().map(Process::log);
        logs.map(|log| log.lines().filter(|line| line.contains(text)).count() as u64).sum()
    }
}

fn start_stage(environment: &Environment, proxy: &Proxy, name: &'static str, number: usize) -> Process {
    let (url, in_flight) = (proxy.url(), IN_FLIGHT.to_string());
    let args: &[&str] = match name {
        "json-to-api" => &["--api-url", &url, "--concurrency", &in_flight, "--timeout", "2s"],
        _ => &[],
    };
    let log = environment.logs.path().join(format!("{name}-{number}"));
    Process::start(name, stage(name, environment.data.path(), args), log)
}
