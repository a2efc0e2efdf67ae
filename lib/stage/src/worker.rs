//! The loop: take a batch, process it, commit it, hand it on; sleep when there is none.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use records::Counts;
use service::{BatchDone, Context, Health, Shutdown};
use tokio::sync::mpsc::UnboundedSender;
use tracing::{error, info, warn};
use volume::{Batch, Claim, Commit, Committed, HandedOn, Inbox, Next, Spec, Taken, Volume};

use crate::args::StageArgs;
use crate::metrics::{Bytes, Metrics};
use crate::process::{Process, ProcessError};
use crate::pulse::Pulse;
use crate::wake::Wake;

/// The health's name for a volume that fails.
const VOLUME: &str = "volume";
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// No event tells that the writer of a claimed file is done.
const HELD_LOOK: Duration = Duration::from_secs(2);

pub(crate) struct Worker<P> {
    spec: Spec,
    once: bool,
    rescan: Duration,
    volume: Volume,
    inbox: Inbox,
    process: P,
    wake: Wake,
    metrics: Metrics,
    pulse: Pulse,
    health: Health,
    shutdown: Shutdown,
    batches: Option<UnboundedSender<BatchDone>>,
    /// The last sleep was ended by an event, or there was none: files may have come.
    was_woken: bool,
    told_no_events: bool,
}

/// How a look into the inbox ended.
enum Step {
    Worked,
    Idle { again: Option<Instant> },
}

impl<P: Process> Worker<P> {
    pub(crate) fn new(
        spec: Spec,
        args: &StageArgs,
        volume: Volume,
        process: P,
        wake: Wake,
        metrics: Metrics,
        context: &Context,
    ) -> Self {
        Worker {
            spec,
            once: args.once,
            rescan: args.rescan_interval,
            inbox: Inbox::new(volume.clone(), spec, args.settle, args.rescan_interval),
            volume,
            process,
            wake,
            metrics,
            pulse: Pulse::new(context),
            health: context.health.clone(),
            shutdown: context.shutdown.clone(),
            batches: context.batches.clone(),
            was_woken: true,
            told_no_events: false,
        }
    }

    /// Works until the shutdown, or with `--once` until nothing is left: a batch that fails is passed over then, and the
    /// first failure told at the end.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        let mut pause = SHORTEST_PAUSE;
        let mut first_failure = None;
        while !self.shutdown.is_requested() {
            self.health.busy();
            let step = self.step();
            self.health.idle();
            match step {
                Ok(Step::Worked) => pause = self.recovered(),
                Ok(Step::Idle { again }) => {
                    pause = self.recovered();
                    if self.once && (again.is_none() || first_failure.is_some()) {
                        break;
                    }
                    self.sleep(again);
                }
                Err(error) if self.once && first_failure.is_some() => {
                    error!("{error:#}");
                    break;
                }
                Err(error) if self.once => first_failure = Some(error),
                Err(error) => {
                    error!("{error:#}; trying again in {pause:?}");
                    self.health.problem(VOLUME, format!("{error:#}"));
                    self.pause(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        first_failure.map_or(Ok(()), Err)
    }

    fn recovered(&self) -> Duration {
        self.health.resolved(VOLUME);
        SHORTEST_PAUSE
    }

    fn sleep(&mut self, again: Option<Instant>) {
        let until = again.map(|again| again.saturating_duration_since(Instant::now()));
        let longest = if self.inbox.is_holding() { self.rescan.min(HELD_LOOK) } else { self.rescan };
        self.was_woken = self.wake.sleep_unless_told(&self.volume, until.unwrap_or(longest).min(longest));
    }

    /// Events must not cut a pause short: a full disk would be tried at each of them.
    fn pause(&self, pause: Duration) {
        let end = Instant::now() + pause;
        while !self.shutdown.is_requested() && Instant::now() < end {
            self.wake.sleep(end.saturating_duration_since(Instant::now()));
        }
    }

    fn step(&mut self) -> anyhow::Result<Step> {
        let before = self.inbox.waiting();
        let next = self.inbox.next(Instant::now())?;
        self.metrics.inbox(self.inbox.waiting());
        if !self.was_woken
            && self.inbox.waiting() > before
            && !std::mem::replace(&mut self.told_no_events, true)
        {
            info!("a file came without an event: --rescan-interval finds what this volume does not tell");
        }
        match next {
            Next::Nothing { again } => return Ok(Step::Idle { again }),
            Next::Taken(Taken::Ready(claim)) => self.work(claim)?,
            Next::Taken(Taken::Committed(committed)) => self.finish(committed)?,
        }
        // Whatever comes between two sleeps needs no event.
        self.was_woken = true;
        Ok(Step::Worked)
    }

    /// Hands on what a dead owner had committed.
    fn finish(&mut self, committed: Committed) -> anyhow::Result<()> {
        let batch = committed.id();
        match committed.hand_on() {
            Ok(done) => info!(batch, published = done.published, "handed on what its owner had finished"),
            Err(error) if error.is_fenced() => warn!("{error}"),
            Err(error) => {
                self.inbox.failed(&batch, Instant::now());
                return Err(error).with_context(|| format!("batch {batch}"));
            }
        }
        Ok(())
    }

    fn work(&mut self, claim: Claim) -> anyhow::Result<()> {
        let id = claim.id();
        match self.process_and_hand_on(claim) {
            Ok(()) => Ok(()),
            Err(ProcessError::Volume(error)) if error.is_fenced() => {
                warn!("{error}");
                Ok(())
            }
            Err(ProcessError::Released) => {
                info!(batch = id, "released for the shutdown: the next owner carries on");
                Ok(())
            }
            Err(error) => {
                self.inbox.failed(&id, Instant::now());
                Err(error).with_context(|| format!("batch {id}"))
            }
        }
    }

    fn process_and_hand_on(&mut self, claim: Claim) -> Result<(), ProcessError> {
        let start = Instant::now();
        let mut batch = claim.begin()?;
        let counts = match self.process.process(&mut batch, &self.pulse) {
            Ok(counts) => counts,
            // Whatever failed, it may be that the batch was taken over.
            Err(error) => return Err(batch.still_ours().err().map_or(error, ProcessError::Volume)),
        };
        let (id, from) = (batch.id(), batch.source().map(str::to_owned));
        let bytes = Bytes { input: batch.input_len(), output: batch.output.written() };
        let Some(done) = self.commit(batch)? else { return Ok(()) };
        self.done(&id, from, done.published, counts, bytes, start.elapsed());
        Ok(())
    }

    /// Commits and hands on; `None` where the input has changed meanwhile.
    fn commit(&mut self, batch: Batch) -> Result<Option<HandedOn>, ProcessError> {
        match batch.commit()? {
            Commit::Done(committed) => Ok(Some(committed.hand_on()?)),
            Commit::Changed(claim) => {
                self.inbox.hold(claim);
                Ok(None)
            }
        }
    }

    fn done(
        &self,
        id: &str,
        from: Option<String>,
        to: Option<String>,
        counts: Counts,
        bytes: Bytes,
        elapsed: Duration,
    ) {
        self.metrics.batch(counts, bytes, elapsed);
        let Counts { ok, rejected } = counts;
        info!(batch = id, file = from, published = to, ok, rejected, ?elapsed, "batch done");
        if let Some(batches) = &self.batches {
            // Whoever listened is gone: nobody wants to know.
            let _ = batches.send(BatchDone { stage: self.spec.name, from, to, ok, rejected, elapsed });
        }
    }
}
