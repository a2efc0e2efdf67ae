use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Shutdown;

const STARTING: &str = "starting";
const STOPPING: &str = "stopping: shutdown was requested";

/// What the probes are told: ready while no problem stands, alive while work goes on.
///
/// Readiness is a list of named problems; it begins with `starting`, and `stopping` never ends. Liveness looks at progress, and only while the
/// program is [busy](Self::busy): who waits for work is alive.
#[derive(Clone)]
pub struct Health(Arc<State>);

struct State {
    problems: Mutex<BTreeMap<&'static str, String>>,
    shutdown: Shutdown,
    busy: AtomicBool,
    /// What the milliseconds of `last_heartbeat` count from.
    epoch: Instant,
    last_heartbeat: AtomicU64,
}

impl Health {
    /// How long a busy program may go without a heartbeat before it counts as stuck.
    pub const STUCK_AFTER: Duration = Duration::from_secs(60);

    /// Health that has one problem, `starting`.
    pub fn new() -> Self {
        Self::until(Shutdown::new())
    }

    /// Health that is not ready any more once `shutdown` is requested.
    pub fn until(shutdown: Shutdown) -> Self {
        Self(Arc::new(State {
            problems: Mutex::new(BTreeMap::from([(STARTING, String::new())])),
            shutdown,
            busy: AtomicBool::new(false),
            epoch: Instant::now(),
            last_heartbeat: AtomicU64::new(0),
        }))
    }

    /// Notes a problem, or its newest reason; not ready while any stands.
    pub fn problem(&self, what: &'static str, reason: impl Into<String>) {
        self.problems().insert(what, reason.into());
    }

    /// Takes a problem back.
    pub fn resolved(&self, what: &'static str) {
        self.problems().remove(what);
    }

    /// Says that the program has started.
    pub fn ready(&self) {
        self.resolved(STARTING);
    }

    /// Says that work is in hand: from now on liveness expects heartbeats.
    pub fn busy(&self) {
        self.heartbeat(Instant::now());
        // After the heartbeat: whoever sees `busy` sees a fresh one too.
        self.0.busy.store(true, Ordering::Release);
    }

    /// Says that no work is in hand.
    pub fn idle(&self) {
        self.0.busy.store(false, Ordering::Release);
    }

    /// Ready, or the problems on one line.
    ///
    /// # Errors
    /// All problems that stand, `what: reason`, separated by `; `.
    pub fn is_ready(&self) -> Result<(), String> {
        let problems = self.problems();
        let stopping = self.0.shutdown.is_requested().then(|| STOPPING.to_owned());
        let standing = problems.iter().map(|(what, reason)| match reason.as_str() {
            "" => (*what).to_owned(),
            reason => format!("{what}: {reason}"),
        });
        let lines: Vec<String> = standing.chain(stopping).collect();
        if lines.is_empty() { Ok(()) } else { Err(lines.join("; ")) }
    }

    /// Alive: idle, or a heartbeat within [`Self::STUCK_AFTER`].
    ///
    /// # Errors
    /// How long there was no progress.
    pub fn is_alive(&self) -> Result<(), String> {
        self.is_alive_at(Instant::now())
    }

    /// Says that progress was made; one atomic store at most.
    pub fn heartbeat(&self, now: Instant) {
        let since_epoch = now.saturating_duration_since(self.0.epoch).as_millis();
        let since_epoch = u64::try_from(since_epoch).unwrap_or(u64::MAX);
        // Looking is cheaper than writing, where others look as well.
        if self.0.last_heartbeat.load(Ordering::Relaxed) != since_epoch {
            self.0.last_heartbeat.store(since_epoch, Ordering::Release);
        }
    }

    /// As [`is_alive`](Self::is_alive), at another time.
    ///
    /// # Errors
    /// How long there will have been no progress.
    pub fn is_alive_at(&self, now: Instant) -> Result<(), String> {
        if !self.0.busy.load(Ordering::Acquire) {
            return Ok(());
        }
        let last_heartbeat = Duration::from_millis(self.0.last_heartbeat.load(Ordering::Acquire));
        let quiet = now.saturating_duration_since(self.0.epoch).saturating_sub(last_heartbeat);
        if quiet <= Self::STUCK_AFTER {
            return Ok(());
        }
        Err(format!("no progress for {} s", quiet.as_secs()))
    }

    fn problems(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.0.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("ready", &self.is_ready()).field("alive", &self.is_alive()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    #[test]
    fn it_is_not_ready_until_it_says_so() {
        let health = Health::new();
        assert_eq!(health.is_ready(), Err("starting".to_owned()));
        health.ready();
        assert_eq!(health.is_ready(), Ok(()));
    }

    #[test]
    fn every_standing_problem_is_named_with_its_newest_reason() {
        let health = Health::new();
        health.ready();
        health.problem("api", "refuses connections");
        health.problem("volume", "is full");
        health.problem("api", "answers 404");
        let both = "api: answers 404; volume: is full".to_owned();
        assert_eq!(health.is_ready(), Err(both));
        health.resolved("api");
        assert_eq!(health.is_ready(), Err("volume: is full".to_owned()));
        health.resolved("volume");
        health.resolved("never stood");
        assert_eq!(health.is_ready(), Ok(()));
    }

    #[test]
    fn an_idle_program_is_alive_without_a_heartbeat() {
        let health = Health::new();
        let later = Instant::now() + 10 * Health::STUCK_AFTER;
        assert_eq!(health.is_alive_at(later), Ok(()));
        health.busy();
        health.idle();
        assert_eq!(health.is_alive_at(later), Ok(()));
    }

    #[test]
    fn a_busy_program_is_alive_as_long_as_its_heart_beats() {
        let health = Health::new();
        health.busy();
        let start = health.0.epoch + Duration::from_secs(100);
        health.heartbeat(start);
        assert_eq!(health.is_alive_at(start + Health::STUCK_AFTER), Ok(()));
        let stuck = start + Health::STUCK_AFTER + MOMENT;
        assert_eq!(health.is_alive_at(stuck), Err("no progress for 60 s".to_owned()));
        health.heartbeat(stuck);
        assert_eq!(health.is_alive_at(stuck + Health::STUCK_AFTER), Ok(()));
    }

    #[test]
    fn becoming_busy_counts_as_a_heartbeat() {
        let health = Health::new();
        health.heartbeat(health.0.epoch);
        health.busy();
        assert_eq!(health.is_alive_at(Instant::now() + Health::STUCK_AFTER / 2), Ok(()));
    }

    #[test]
    fn problems_do_not_touch_liveness() {
        let health = Health::new();
        health.problem("api", "is away");
        health.busy();
        assert_eq!(health.is_alive(), Ok(()));
    }
}
