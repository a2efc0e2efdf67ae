use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use service::Health;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::database::{Connection, Database, WRITE_WITHIN};
use super::metrics::Metrics;
use super::queue::{Job, Outcome};

/// What is inserted at once: so many documents, or the one with which they have so many bytes.
const MAX_BATCH: usize = 1024;
const MAX_BATCH_BYTES: usize = 2 << 20;

/// How long a batch waits for as many documents as the one before it had: senders that were just answered send again. A
/// sender that is alone never waits.
const LINGER: Duration = Duration::from_millis(2);

/// How long an idle connection is trusted.
const PING_EVERY: Duration = Duration::from_secs(1);

/// How long connecting may take, and making the tables: another replica may be at it.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// The pause between two attempts to connect is at least half of this, at first and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// Under which name the probes are told.
const PROBLEM: &str = "database";

/// The one task that writes: what waits goes into one insert and one commit, and is answered then.
pub(super) struct Writer {
    pub(super) database: Database,
    pub(super) jobs: mpsc::Receiver<Job>,
    pub(super) pod: String,
    pub(super) health: Health,
    pub(super) metrics: Metrics,
}

/// The database is away, or too slow.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error(transparent)]
    Failed(#[from] sqlx::Error),
    #[error("no answer within {0:?}")]
    Slow(Duration),
}

async fn within<T>(time: Duration, asked: impl Future<Output = sqlx::Result<T>>) -> Result<T, Lost> {
    Ok(timeout(time, asked).await.map_err(|_| Lost::Slow(time))??)
}

impl Writer {
    /// Writes until nobody can send documents any more and all are answered.
    pub(super) async fn run(mut self) {
        while let Some(mut connection) = self.connect().await {
            tracing::info!("the database is there");
            self.health.resolved(PROBLEM);
            match self.write(&mut connection).await {
                Err(lost) => self.health.problem(PROBLEM, told(&lost)),
                Ok(()) => {
                    if let Err(error) = connection.close().await {
                        tracing::warn!("failed to close the database: {error}");
                    }
                    return;
                }
            }
        }
    }

    /// A new connection; none where nobody can send documents any more. Who sends meanwhile shall come back.
    async fn connect(&mut self) -> Option<Connection> {
        let mut connected = pin!(attempts(&self.database, &self.health));
        loop {
            tokio::select! {
                connection = &mut connected => return Some(connection),
                job = self.jobs.recv() => {
                    job?.answer(Outcome::Away);
                    self.metrics.away(1);
                }
            }
        }
    }

    /// Writes until nobody can send documents any more, or the connection is lost.
    async fn write(&mut self, connection: &mut Connection) -> Result<(), Lost> {
        let mut expected = 1;
        while let Some(first) = self.next(connection).await? {
            let jobs = self.gather(first, expected).await;
            expected = jobs.len();
            self.store(connection, jobs).await?;
        }
        Ok(())
    }

    async fn next(&mut self, connection: &mut Connection) -> Result<Option<Job>, Lost> {
        loop {
            match timeout(PING_EVERY, self.jobs.recv()).await {
                Ok(job) => return Ok(job),
                Err(_) => within(WRITE_WITHIN, connection.ping()).await?,
            }
        }
    }

    /// The batch that begins with `first`: what waits, and, for a moment, what is expected.
    async fn gather(&mut self, first: Job, expected: usize) -> Vec<Job> {
        let (mut jobs, mut bytes) = (Vec::with_capacity(expected), 0);
        let end = Instant::now() + LINGER;
        let mut next = Some(first);
        while let Some(job) = next {
            if !job.is_abandoned() {
                bytes += job.document.len();
                jobs.push(job);
            }
            if jobs.len() == MAX_BATCH || bytes >= MAX_BATCH_BYTES {
                break;
            }
            next = match self.jobs.try_recv() {
                Ok(job) => Some(job),
                Err(_) if jobs.len() < expected => timeout_at(end, self.jobs.recv()).await.ok().flatten(),
                Err(_) => None,
            };
        }
        jobs
    }

    /// Inserts a batch and answers it. Where a document is at fault, it is halved until that one is alone: its neighbours
    /// never pay for it.
    async fn store(&self, connection: &mut Connection, jobs: Vec<Job>) -> Result<(), Lost> {
        let mut parts = vec![jobs];
        while let Some(mut jobs) = parts.pop() {
            if jobs.is_empty() {
                continue;
            }
            let started = Instant::now();
            let lost = match within(WRITE_WITHIN, connection.insert(&jobs, &self.pod)).await {
                Ok(new) => {
                    self.metrics.inserted(started.elapsed());
                    self.answer(jobs, new);
                    continue;
                }
                Err(lost) => lost,
            };
            let refusal = if let Lost::Failed(error) = &lost { connection.refusal(error) } else { None };
            match refusal {
                Some(reason) if jobs.len() == 1 => {
                    jobs.into_iter().for_each(|job| job.answer(Outcome::Refused(reason.clone())));
                    self.metrics.refused();
                }
                Some(_) => {
                    let rest = jobs.split_off(jobs.len() / 2);
                    parts.extend([rest, jobs]);
                }
                None => {
                    parts.push(jobs);
                    self.metrics.away(parts.iter().map(Vec::len).sum());
                    parts.into_iter().flatten().for_each(|job| job.answer(Outcome::Away));
                    return Err(lost);
                }
            }
        }
        Ok(())
    }

    /// Answers what is committed. Of two with one key the first is the one that was stored.
    fn answer(&self, jobs: Vec<Job>, mut new: HashSet<String>) {
        self.metrics.committed(new.len(), jobs.len() - new.len());
        for job in jobs {
            let outcome = if new.remove(&job.key) { Outcome::Stored } else { Outcome::Duplicate };
            job.answer(outcome);
        }
    }
}

/// Tries to connect until it succeeds.
async fn attempts(database: &Database, health: &Health) -> Connection {
    let (mut pause, mut last) = (FIRST_PAUSE, String::new());
    loop {
        match within(CONNECT_WITHIN, database.connect()).await {
            Ok(connection) => return connection,
            // The same reason once.
            Err(lost) if lost.to_string() == last => {}
            Err(lost) => {
                last = told(&lost);
                health.problem(PROBLEM, last.as_str());
            }
        }
        // Not all replicas at the same time.
        sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        pause = LAST_PAUSE.min(2 * pause);
    }
}

/// Logs why there is no database; returns it.
fn told(lost: &Lost) -> String {
    tracing::warn!("the database is away: {lost}");
    lost.to_string()
}

/// Says that the database was not asked yet.
pub(super) fn not_yet(health: &Health) {
    health.problem(PROBLEM, "connecting");
}
