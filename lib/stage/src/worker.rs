//! The loop: take a batch, process it, commit it, publish it; sleep when there is none.

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use service::{Context, Interrupted};
use traces::{BatchSpan, Traces};
use tracing::{error, info, warn};
use volume::{Batch, Claim, Commit, Committed, Next, Scanner, Spec, Taken, Volume};

use crate::args::StageArgs;
use crate::metrics::{Bytes, Metrics};
use crate::process::{Outcome, Process, ProcessError};
use crate::turn::Turn;
use crate::{BatchDone, Observer, trace};

/// The health's name for a volume that fails.
const VOLUME: &str = "volume";
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// One may rest and be tried again for days.
const TELL_REST_EVERY: Duration = Duration::from_secs(30);
/// No event tells that the writer of a claimed file is done.
const DEFERRED_LOOK: Duration = Duration::from_secs(2);

pub(crate) struct Worker<P> {
    spec: Spec,
    once: bool,
    rescan: Duration,
    scanner: Scanner,
    process: P,
    /// Ends a sleep: a file may have come, or the program is to stop.
    woken: Receiver<()>,
    metrics: Metrics,
    context: Context,
    observer: Option<Observer>,
    /// Where turns at batches are traced.
    traces: Option<Traces>,
    /// How long the loop pauses when the volume fails next.
    pause: Duration,
    /// When a batch that rests was last spoken of.
    told_rest: Option<Instant>,
    /// The first failure of a run to completion.
    failure: Option<anyhow::Error>,
}

/// How a look for work ended.
enum Step {
    Worked,
    Idle { again: Option<Instant> },
}

/// A batch that is not done, and why.
struct Failure {
    batch: String,
    error: ProcessError,
}

impl<P: Process> Worker<P> {
    #[expect(clippy::too_many_arguments, reason = "called once, where all of this is put together")]
    pub(crate) fn new(
        spec: Spec,
        args: &StageArgs,
        volume: Volume,
        process: P,
        woken: Receiver<()>,
        metrics: Metrics,
        context: &Context,
        observer: Option<Observer>,
        traces: Option<Traces>,
    ) -> Self {
        let scanner = Scanner::new(volume, spec, args.settle, args.rescan_interval);
        Worker {
            spec,
            once: args.once,
            rescan: args.rescan_interval,
            scanner,
            process,
            woken,
            metrics,
            context: context.clone(),
            observer,
            traces,
            pause: SHORTEST_PAUSE,
            told_rest: None,
            failure: None,
        }
    }

    /// Works until the shutdown, or with `--once` until nothing is left: a batch that fails is passed over then, and the
    /// first failure told at the end.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        while !self.context.shutdown.is_requested() {
            self.context.health.busy();
            let step = self.step();
            self.context.health.idle();
            match step {
                Ok(Step::Worked) => {}
                Ok(Step::Idle { again: None }) if self.once => return self.failure.map_or(Ok(()), Err),
                Ok(Step::Idle { again }) => self.sleep(again),
                Err(error) => self.failed_to_look(error)?,
            }
        }
        if self.once { Err(Interrupted.into()) } else { Ok(()) }
    }

    /// What the scanner met concerns no batch that could be taken: the volume fails.
    fn failed_to_look(&mut self, error: volume::Error) -> anyhow::Result<()> {
        if self.once && self.scanner.deferred() + self.scanner.resting() == 0 {
            return Err(self.failure.take().unwrap_or(error.into()));
        }
        let error = anyhow::Error::from(error);
        error!("{error:#}; trying again in {:?}", self.pause);
        self.context.health.problem(VOLUME, format!("{error:#}"));
        self.pause();
        Ok(())
    }

    fn sleep(&mut self, again: Option<Instant>) {
        let until = again.map_or(self.rescan, |again| again.saturating_duration_since(Instant::now()));
        let longest = if self.scanner.deferred() > 0 { DEFERRED_LOOK } else { Duration::MAX };
        // Woken, timed out, or nobody is left who could wake it: the loop looks again.
        let _ = self.woken.recv_timeout(until.min(self.rescan).min(longest));
    }

    /// Events must not cut a pause short: a full disk would be tried at each of them.
    fn pause(&mut self) {
        let end = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        while !self.context.shutdown.is_requested() && Instant::now() < end {
            let _ = self.woken.recv_timeout(end.saturating_duration_since(Instant::now()));
        }
    }

    fn step(&mut self) -> Result<Step, volume::Error> {
        let next = self.scanner.next(Instant::now())?;
        self.metrics.waiting(self.scanner.waiting(), self.scanner.resting());
        self.metrics.oldest(self.scanner.oldest_waiting());
        let worked = match next {
            Next::Nothing { again } => {
                self.recovered();
                return Ok(Step::Idle { again });
            }
            Next::Taken(Taken::Ready(claim)) => self.work(claim),
            Next::Taken(Taken::Committed(committed)) => self.finish(committed),
        };
        match worked {
            Ok(()) => {
                self.pause = SHORTEST_PAUSE;
                self.recovered();
            }
            Err(failure) => self.failed(failure),
        }
        Ok(Step::Worked)
    }

    /// Ready again, unless a batch that failed still waits for its next attempt.
    fn recovered(&self) {
        if self.scanner.failing() == 0 {
            self.context.health.resolved(VOLUME);
        }
    }

    fn failed(&mut self, Failure { batch, error }: Failure) {
        match error {
            ProcessError::Volume(error) if error.is_fenced() => warn!("{error}"),
            ProcessError::Released => info!(batch, "released for the shutdown: the next owner carries on"),
            error if self.once => {
                // Told at the end, and not tried again: what is behind it must get its turn.
                self.scanner.leave(&batch);
                let error = anyhow::Error::from(error).context(format!("batch {batch}"));
                if let Some(first) = &self.failure {
                    error!("{error:#}; the first failure was: {first:#}");
                } else {
                    self.failure = Some(error);
                }
            }
            error => {
                let now = Instant::now();
                let is_full = error.is_full();
                let rest = self.scanner.failed(&batch, now).saturating_duration_since(now);
                let error = anyhow::Error::from(error).context(format!("batch {batch}"));
                let pause = if is_full { rest.max(self.pause) } else { rest };
                error!("{error:#}; trying again in {pause:?}");
                self.context.health.problem(VOLUME, format!("{error:#}"));
                if is_full {
                    // No other batch would find room.
                    self.pause();
                }
            }
        }
    }

    /// Publishes what a dead owner had committed.
    fn finish(&mut self, committed: Committed) -> Result<(), Failure> {
        let batch = committed.id();
        match committed.publish() {
            Ok(done) => {
                info!(batch, published = done.name, "published what its owner had finished");
                Ok(())
            }
            Err(error) => Err(Failure { batch, error: error.into() }),
        }
    }

    fn work(&mut self, claim: Claim) -> Result<(), Failure> {
        let id = claim.id();
        self.process_and_publish(claim).map_err(|error| Failure { batch: id, error })
    }

    fn process_and_publish(&mut self, claim: Claim) -> Result<(), ProcessError> {
        let start = Instant::now();
        let batch = claim.begin()?;
        let span = self.traces.as_ref().map(|traces| trace::begin(traces, self.spec, &batch));
        let outcome = self.process_traced(batch, start, span.as_ref());
        if let Some(span) = span {
            trace::end(&span, outcome.as_ref().copied());
        }
        outcome.map(|_| ())
    }

    /// Returns what came of the turn, in a word.
    fn process_traced(
        &mut self,
        mut batch: Batch,
        start: Instant,
        span: Option<&BatchSpan>,
    ) -> Result<&'static str, ProcessError> {
        let Context { health, shutdown, .. } = &self.context;
        let turn = Turn { health, shutdown, span, scanner: &self.scanner };
        let counts = match self.process.process(&mut batch, &turn) {
            Ok(Outcome::Done(counts)) => counts,
            Ok(Outcome::Resting { until }) => {
                self.rest(batch, until);
                return Ok("resting");
            }
            Err(error) => return Err(let_go(batch, error)),
        };
        let mut done = BatchDone {
            stage: self.spec.name,
            from: batch.source().map(str::to_owned),
            to: None,
            ok: counts.ok,
            rejected: counts.rejected,
            elapsed: Duration::ZERO,
        };
        if let Some(span) = span {
            span.records(counts.ok, counts.rejected);
            if self.spec.output.is_some() {
                trace::hand_on(span, &mut batch);
            }
        }
        let (id, bytes) = (batch.id(), Bytes { input: batch.input_len(), output: batch.output.written() });
        match batch.commit()? {
            Commit::Done(committed) => done.to = committed.publish()?.name,
            Commit::Changed(claim) => {
                self.scanner.defer(claim);
                return Ok("changed");
            }
        }
        if let (Some(span), Some(name)) = (span, &done.to) {
            span.published(name);
        }
        done.elapsed = start.elapsed();
        self.metrics.batch(counts, bytes, done.elapsed);
        let BatchDone { from, to, ok, rejected, elapsed, .. } = &done;
        info!(batch = id, file = from, published = to, ok, rejected, ?elapsed, "batch done");
        if let Some(observer) = &self.observer {
            // Whoever listened is gone: nobody wants to know.
            let _ = observer.send(done);
        }
        Ok("done")
    }

    fn rest(&mut self, batch: Batch, until: Instant) {
        let (id, file) = (batch.id(), batch.source().map(str::to_owned));
        let now = Instant::now();
        if self.told_rest.is_none_or(|told| now - told >= TELL_REST_EVERY) {
            self.told_rest = Some(now);
            let resting = self.scanner.resting() + 1;
            warn!(
                batch = id,
                file, resting, "a batch rests: its last documents are not accepted, and others wait"
            );
        }
        self.scanner.rest(batch.rest(), until);
        self.metrics.waiting(self.scanner.waiting(), self.scanner.resting());
    }
}

/// Deletes what was made of a batch in vain: it takes room that the stages behind may need to make some.
fn let_go(batch: Batch, error: ProcessError) -> ProcessError {
    // Whatever failed, it may be that the batch was taken over.
    if let Err(fenced) = batch.still_ours() {
        return ProcessError::Volume(fenced);
    }
    if let Err(left) = batch.discard() {
        warn!(error = &left as &dyn std::error::Error, "what was made in vain could not be deleted");
    }
    error
}
