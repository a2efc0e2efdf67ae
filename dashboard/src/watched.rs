//! What is known of the programs from sample to sample.

use std::collections::BTreeMap;
use std::time::Instant;

use prometheus_parse::HistogramCount;

use crate::flow::{API, PROGRAMS, Program, SENDER};
use crate::numbers::Numbers;
use crate::pods::{Answer, Reading};
use crate::rates::{self, HISTORY, Ring, WINDOW};
use crate::recent::Recent;
use crate::sample::Seen;
use crate::snapshot::{self, Ages, Posts, Share, Snapshot, State};

/// All programs.
pub(crate) struct Watched {
    programs: Vec<Watch>,
    recent: Recent,
}

/// One program.
struct Watch {
    program: Program,
    /// Somebody was named who can be asked.
    is_asked: bool,
    pods: BTreeMap<String, Pod>,
    rates: Ring<f64>,
    retries_per_second: f64,
    /// How old documents were that were answered between two samples.
    ages: Ring<Vec<HistogramCount>>,
}

/// One pod of it.
struct Pod {
    numbers: Numbers,
    /// When it said so.
    at: Option<Instant>,
    /// Why it does not answer, and why it is not ready.
    failure: Option<String>,
    not_ready: Option<String>,
    /// How much it let through between two samples.
    moved: Ring<f64>,
}

/// What a pod did since the last sample.
#[derive(Default)]
struct Step {
    rate: f64,
    retries: f64,
    ages: Vec<HistogramCount>,
}

impl Watched {
    /// Nothing is known yet; of the programs asked it soon will be.
    pub(crate) fn new(asked: &[&'static str]) -> Self {
        let watch = |program: Program| Watch {
            program,
            is_asked: asked.contains(&program.name),
            pods: BTreeMap::new(),
            rates: Ring::new(HISTORY),
            retries_per_second: 0.0,
            ages: Ring::new(WINDOW),
        };
        Watched { programs: PROGRAMS.map(watch).into(), recent: Recent::default() }
    }

    /// Takes note of what all pods said.
    pub(crate) fn update(&mut self, readings: Vec<Reading>) {
        let mut by_program: BTreeMap<&str, Vec<Reading>> = BTreeMap::new();
        for reading in readings {
            by_program.entry(reading.program).or_default().push(reading);
        }
        self.recent = Recent::default();
        for watch in &mut self.programs {
            let mut readings = by_program.remove(watch.program.name).unwrap_or_default();
            for answer in readings.iter_mut().filter_map(|reading| reading.outcome.as_mut().ok()) {
                self.recent.merge(std::mem::take(&mut answer.recent));
            }
            watch.update(readings);
        }
    }

    /// All of it, beside what was seen on the volume.
    pub(crate) fn snapshot(&self, seen: &Seen) -> Snapshot {
        let programs = self.programs.iter().enumerate();
        let sender = self.programs.iter().find(|watch| watch.program.name == SENDER);
        let api = self.programs.iter().find(|watch| watch.program.name == API);
        let free_bytes = self.gauges(|numbers| numbers.volume_free_bytes).reduce(f64::min);
        Snapshot {
            at: 0,
            interval_seconds: 0.0,
            programs: programs.map(|(place, watch)| watch.snapshot(place, seen)).collect(),
            api: api.map(Watch::shares).unwrap_or_default(),
            ages: sender.and_then(Watch::ages),
            posts: sender.map(Watch::posts).unwrap_or_default(),
            recent: self.recent.clone(),
            volume: snapshot::Volume { problem: None, free_bytes },
            rejected: seen.files.clone(),
            allow_actions: false,
        }
    }

    fn gauges(&self, of: impl Fn(&Numbers) -> Option<f64>) -> impl Iterator<Item = f64> {
        self.programs.iter().flat_map(|watch| watch.pods.values()).filter_map(move |pod| of(&pod.numbers))
    }
}

impl Watch {
    fn update(&mut self, readings: Vec<Reading>) {
        let mut before = std::mem::take(&mut self.pods);
        let mut sum = Step::default();
        let mut ages = Vec::new();
        // Who is not found any more is forgotten.
        for Reading { address, at, outcome, .. } in readings {
            let mut pod = before.remove(&address).unwrap_or_else(Pod::new);
            let step = pod.update(at, outcome);
            sum.rate += step.rate;
            sum.retries += step.retries;
            ages.push(step.ages);
            self.pods.insert(address, pod);
        }
        self.rates.push(sum.rate);
        self.retries_per_second = sum.retries;
        self.ages.push(rates::sum(ages.iter()));
    }

    fn state(&self, in_hand: usize) -> (State, Option<String>) {
        let down = self.pods.iter().filter_map(|(address, pod)| Some((address, pod.failure.as_ref()?)));
        let not_ready =
            self.pods.iter().filter_map(|(address, pod)| Some((address, pod.not_ready.as_ref()?)));
        let troubles: Vec<String> =
            down.clone().chain(not_ready).map(|(address, reason)| format!("{address}: {reason}")).collect();
        let reason = troubles.first().map(|first| match troubles.len() - 1 {
            0 => first.clone(),
            others => format!("{first} (and {others} more)"),
        });
        let state = if !self.is_asked {
            State::Unknown
        } else if down.count() == self.pods.len() {
            State::Stopped
        } else if reason.is_some() {
            State::Trouble
        } else if in_hand > 0 || self.rate() > 0.0 {
            State::Working
        } else {
            State::Idle
        };
        (state, reason)
    }

    fn rate(&self) -> f64 {
        self.rates.iter().last().copied().unwrap_or_default()
    }

    fn snapshot(&self, place: usize, seen: &Seen) -> snapshot::Program {
        let Program { name, input, output } = self.program;
        let load = seen.loads.get(place).copied();
        let (state, reason) = self.state(load.map_or(0, |load| load.in_hand));
        let is_on_volume = input.is_some() || output.is_some();
        let total = |of: fn(&Numbers) -> f64| sum(self.pods.values().map(|pod| of(&pod.numbers)));
        let oldest = self.pods.values().filter_map(|pod| pod.numbers.oldest_waiting_seconds);
        snapshot::Program {
            name,
            input,
            output,
            state,
            reason,
            pods_up: self.pods.values().filter(|pod| pod.failure.is_none()).count(),
            pods: self.pods.len(),
            rate: rounded(self.rate()),
            rates: self.rates.iter().copied().map(rounded).collect(),
            total: total(Numbers::moved),
            records_ok: total(|numbers| numbers.records_ok),
            records_rejected: total(|numbers| numbers.records_rejected),
            batches: total(|numbers| numbers.batches),
            resting: total(|numbers| numbers.resting),
            waiting: load.filter(|_| input.is_some()).map(|load| load.waiting),
            in_hand: load.filter(|_| is_on_volume).map(|load| load.in_hand),
            rejected_files: seen.rejected.get(place).copied().filter(|_| input.is_some()),
            oldest_in_hand_seconds: load.and_then(|load| load.oldest_in_hand).map(|age| age.as_secs_f64()),
            oldest_waiting_seconds: oldest.reduce(f64::max),
        }
    }

    fn shares(&self) -> Vec<Share> {
        let recent = |pod: &Pod| sum(pod.moved.iter().copied());
        let all = sum(self.pods.values().map(recent));
        let share = |(address, pod): (&String, &Pod)| Share {
            pod: pod.numbers.pod.clone().unwrap_or_else(|| address.clone()),
            address: address.clone(),
            is_up: pod.failure.is_none(),
            requests: pod.numbers.requests.unwrap_or_default(),
            recent_requests: recent(pod),
            share: if all > 0.0 { recent(pod) / all } else { 0.0 },
        };
        let mut shares: Vec<Share> =
            self.pods.iter().filter(|(_, pod)| pod.at.is_some()).map(share).collect();
        shares.sort_by(|one, other| (&one.pod, &one.address).cmp(&(&other.pod, &other.address)));
        shares
    }

    fn ages(&self) -> Option<Ages> {
        let ages = rates::sum(self.ages.iter());
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|which| rates::quantile(&ages, which));
        Some(Ages { documents: ages.last()?.count, p50: p50?, p95: p95?, p99: p99? })
    }

    fn posts(&self) -> Posts {
        let mut by_status: BTreeMap<String, f64> = BTreeMap::new();
        for (status, count) in self.pods.values().flat_map(|pod| &pod.numbers.posts) {
            *by_status.entry(status.clone()).or_default() += count;
        }
        Posts {
            retries: sum(self.pods.values().map(|pod| pod.numbers.retries)),
            retries_per_second: rounded(self.retries_per_second),
            by_status: by_status.into_iter().collect(),
        }
    }
}

impl Pod {
    fn new() -> Self {
        Pod {
            numbers: Numbers::default(),
            at: None,
            failure: None,
            not_ready: None,
            moved: Ring::new(WINDOW),
        }
    }

    fn update(&mut self, now: Instant, outcome: Result<Answer, String>) -> Step {
        let Answer { numbers, not_ready, .. } = match outcome {
            Ok(answer) => answer,
            Err(failure) => {
                self.failure = Some(failure);
                self.not_ready = None;
                self.moved.push(0.0);
                return Step::default();
            }
        };
        let mut step = Step::default();
        // What it did before it was first seen was done at another rate.
        if let Some(at) = self.at {
            let seconds = now.saturating_duration_since(at).as_secs_f64().max(1e-3);
            let moved = rates::growth(self.numbers.moved(), numbers.moved());
            self.moved.push(moved);
            step.rate = moved / seconds;
            step.retries = rates::growth(self.numbers.retries, numbers.retries) / seconds;
            step.ages = rates::bucket_growth(&self.numbers.ages, &numbers.ages);
        }
        (self.numbers, self.at, self.failure, self.not_ready) = (numbers, Some(now), None, not_ready);
        step
    }
}

/// The standard library's sum of nothing is -0, and would be shown so.
fn sum(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |sum, value| sum + value)
}

/// To a tenth: what is shown has no more.
fn rounded(rate: f64) -> f64 {
    (rate * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests;
