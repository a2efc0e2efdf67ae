//! Volume and pods, looked at once an interval; what is seen becomes a snapshot.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use prometheus::{IntCounterVec, Opts, Registry};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use volume::{Load, View};

use crate::flow::PROGRAMS;
use crate::pods::Pods;
use crate::snapshot::RejectedFile;
use crate::watched::Watched;

/// So many rejected files of each stage are shown.
const SHOWN: usize = 20;

/// So long a look at the volume may take before it is said that it does not answer.
const SLOW_VOLUME: Duration = Duration::from_secs(3);

/// Looks, without end.
pub(crate) struct Sampler {
    view: View,
    pods: Pods,
    stem: &'static str,
    interval: Duration,
    allow_actions: bool,
    /// Pods asked, by whether they answered.
    asked: IntCounterVec,
}

/// What was seen on the volume.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) loads: Vec<Load>,
    /// How many files each stage refused.
    pub(crate) rejected: Vec<usize>,
    pub(crate) files: Vec<RejectedFile>,
}

impl Sampler {
    pub(crate) fn new(
        view: View,
        pods: Pods,
        stem: &'static str,
        interval: Duration,
        allow_actions: bool,
        registry: &Registry,
    ) -> anyhow::Result<Self> {
        let asked = Opts::new("dashboard_pods_asked_total", "Pods asked for their metrics, by the outcome");
        let asked = IntCounterVec::new(asked, &["outcome"])?;
        registry.register(Box::new(asked.clone()))?;
        Ok(Sampler { view, pods, stem, interval, allow_actions, asked })
    }

    /// Publishes a snapshot once an interval; a volume that hangs holds up nothing but its own figures.
    pub(crate) async fn run(self, snapshots: watch::Sender<Arc<str>>) {
        let (seen, latest) = watch::channel((Instant::now(), Ok(Seen::default())));
        let looks = look_without_end(self.view.clone(), self.stem, self.interval, seen);
        let samples = self.sample(latest, snapshots);
        tokio::join!(looks, samples);
    }

    async fn sample(
        &self,
        volume: watch::Receiver<(Instant, Result<Seen, String>)>,
        snapshots: watch::Sender<Arc<str>>,
    ) {
        let mut watched = Watched::new(&self.pods.programs());
        let mut seen = Seen::default();
        let mut tick = interval(self.interval);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let readings = self.pods.read().await;
            for reading in &readings {
                let outcome = if reading.outcome.is_ok() { "answered" } else { "failed" };
                self.asked.with_label_values(&[outcome]).inc();
            }
            watched.update(readings);
            let (at, look) = volume.borrow().clone();
            let problem = match look {
                _ if at.elapsed() > SLOW_VOLUME.max(self.interval * 2) => {
                    Some("it does not answer".to_owned())
                }
                Ok(look) => {
                    seen = look;
                    None
                }
                Err(problem) => Some(problem),
            };
            let mut snapshot = watched.snapshot(&seen);
            snapshot.at = milliseconds(SystemTime::now());
            snapshot.interval_seconds = self.interval.as_secs_f64();
            snapshot.allow_actions = self.allow_actions;
            snapshot.volume.problem = problem;
            // Nothing in it has keys that are no text.
            if let Ok(json) = serde_json::to_string(&snapshot) {
                snapshots.send_replace(Arc::from(json));
            }
        }
    }
}

async fn look_without_end(
    view: View,
    stem: &'static str,
    every: Duration,
    seen: watch::Sender<(Instant, Result<Seen, String>)>,
) {
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let view = view.clone();
        // A call to the volume may never return.
        let look = tokio::task::spawn_blocking(move || look(&view, stem)).await;
        let Ok(look) = look else { return pending().await };
        // What was sent before is nobody's concern.
        let _ = seen.send_replace((Instant::now(), look.map_err(|error| chain(&error))));
    }
}

fn look(view: &View, stem: &'static str) -> Result<Seen, volume::Error> {
    let specs = PROGRAMS.map(|program| program.spec(stem));
    let mut seen = Seen { loads: view.loads(&specs)?, ..Seen::default() };
    for spec in specs {
        let rejected = view.rejected(spec, SHOWN)?;
        seen.rejected.push(rejected.count);
        seen.files.extend(rejected.newest.into_iter().map(|(name, metadata)| RejectedFile {
            name,
            stage: spec.name,
            bytes: metadata.len(),
            modified: metadata.modified().map_or(0, milliseconds),
        }));
    }
    Ok(seen)
}

fn chain(error: &volume::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
