//! Delivers a batch: one task hands out its documents, hears of every answer, and saves what is done.
//!
//! It owns all that is known of the batch; the POSTs themselves run on the clients' threads. These bounds are kept here:
//!
//! - Documents in flight and those answered but not yet saved are fewer than [`MAX_UNSAVED`].
//! - Documents in flight take no more than [`MAX_BYTES`], whatever their sizes.
//! - With a concurrency of 1, nothing is begun while a document pauses: the order is kept.

use std::collections::HashMap;
use std::future::poll_fn;
use std::mem;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http_client::backoff;
use records::{Counts, MAX_LINE};
use stage::{Outcome, Process, ProcessError, Turn};
use tokio::runtime::{self, Runtime};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use volume::Batch;

use crate::clients::Clients;
use crate::document::{Answer, Document, Failure, Paused, Refusal};
use crate::headers::Headers;
use crate::metrics::Metrics;
use crate::post::{self, Poster};
use crate::print::{self, Printer};
use crate::rejects;
use crate::report::Report;
use crate::save::{Saving, saved};
use crate::senders::{Attempt, Senders};
use crate::work::{MAX_REFUSALS, MAX_UNSAVED, Work};

/// See the module's documentation.
const MAX_BYTES: usize = 16 << 20;
/// So many answers are worth a save of their own.
const SAVE_AFTER: usize = 500;
/// No answer stays unsaved for longer, as far as the volume can follow.
const SAVE_EVERY: Duration = Duration::from_millis(200);
/// So often the claim is looked at, at least: no document is sent on an older look than two of these.
const TICK: Duration = Duration::from_millis(50);
/// What is in flight at a shutdown is waited for but for this much of the budget: to print and save what was answered
/// takes time as well.
const LETTING_GO: Duration = Duration::from_millis(1_500);
/// Files of headers are looked at so often.
const REFRESH: Duration = Duration::from_secs(1);
/// Of so many batches that rest all is kept that is known of them: that of one takes about a megabyte.
const MAX_RESTING: usize = 16;
/// A batch that rests has its turn no more often: others would have none between.
const SHORTEST_REST: Duration = Duration::from_millis(500);

/// The stage's process: POSTs every document of a batch.
pub(crate) struct Delivery {
    tools: Tools,
    /// Of the task that delivers; made on the thread that runs it.
    runtime: Option<Runtime>,
    /// Batches that rest, by their ids.
    resting: HashMap<String, Rested>,
}

/// What is kept of a batch that rests.
enum Rested {
    Whole(Box<Work>),
    /// How often its documents were tried: the rest stands in its journal.
    Attempts(u32),
}

/// What outlives a batch.
pub(crate) struct Tools {
    pub(crate) url: reqwest::Url,
    pub(crate) clients: Clients,
    pub(crate) headers: Headers,
    pub(crate) concurrency: u16,
    pub(crate) timeout: Duration,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) report: Report,
    /// `None`: nothing is printed.
    pub(crate) printer: Option<Arc<Printer>>,
    /// One document in so many is traced.
    pub(crate) trace_documents: Option<NonZeroU32>,
}

impl Delivery {
    pub(crate) fn new(tools: Tools) -> Self {
        Delivery { tools, runtime: None, resting: HashMap::new() }
    }
}

impl Process for Delivery {
    fn process(&mut self, batch: &mut Batch, turn: &Turn<'_>) -> Result<Outcome, ProcessError> {
        let Delivery { tools, runtime, resting } = self;
        let id = batch.id();
        let runtime = match runtime {
            Some(runtime) => runtime,
            None => {
                let new = runtime::Builder::new_current_thread().enable_time().build();
                let failed = |error| ProcessError::Failed(format!("failed to start a runtime: {error}"));
                runtime.insert(new.map_err(failed)?)
            }
        };
        runtime.block_on(async {
            let work = match resting.remove(&id) {
                Some(Rested::Whole(mut work)) => {
                    work.begin_journal(batch)?;
                    *work
                }
                Some(Rested::Attempts(attempts)) => Work::begin(batch, turn, attempts)?,
                None => Work::begin(batch, turn, 0)?,
            };
            tools.headers.refresh();
            let mut run = Run::new(tools, batch, turn, work);
            let outcome = run.deliver().await;
            if matches!(outcome, Ok(Outcome::Resting { .. })) {
                let is_room = resting.len() < MAX_RESTING;
                let attempts = run.work.attempts;
                let rested =
                    if is_room { Rested::Whole(Box::new(run.work)) } else { Rested::Attempts(attempts) };
                resting.insert(id, rested);
            } else {
                run.tools.report.idle();
            }
            outcome
        })
    }
}

/// One turn at a batch.
pub(crate) struct Run<'a> {
    pub(crate) tools: &'a mut Tools,
    pub(crate) batch: &'a mut Batch,
    turn: &'a Turn<'a>,
    pub(crate) work: Work,
    poster: Arc<Poster>,
    looked: watch::Sender<Instant>,
    senders: Senders,
    bytes_in_flight: usize,
    pub(crate) saving: Option<Saving>,
    /// Saves wait for the output no longer.
    pub(crate) hurry: CancellationToken,
    /// The volume has no room for the progress of further documents: none is sent, and what is in flight is waited for.
    pub(crate) full: Option<volume::Error>,
    is_stopping: bool,
    refreshed: Instant,
}

/// How the work on a batch ended.
enum End {
    Done,
    Resting { until: Instant },
    Released,
}

impl<'a> Run<'a> {
    fn new(tools: &'a mut Tools, batch: &'a mut Batch, turn: &'a Turn<'a>, work: Work) -> Self {
        let now = Instant::now();
        let looked = watch::Sender::new(now);
        let senders = Senders::new(tools.clients.threads());
        let poster = Poster::new(tools, batch, turn, looked.subscribe());
        Run {
            tools,
            batch,
            turn,
            work,
            poster: Arc::new(poster),
            looked,
            senders,
            bytes_in_flight: 0,
            saving: None,
            hurry: CancellationToken::new(),
            full: None,
            is_stopping: false,
            refreshed: now,
        }
    }

    async fn deliver(&mut self) -> Result<Outcome, ProcessError> {
        let end = self.run().await;
        for attempt in self.senders.stop().await {
            self.note(attempt);
        }
        self.tools.clients.reset();
        if let Some(printer) = &self.tools.printer {
            // Whoever is told that the batch is done finds its blocks printed, but for an output that nobody reads.
            printer.flush_if_read().await;
        }
        self.hurry.cancel();
        if self.saving.is_some() {
            let saved = saved(&mut self.saving).await;
            self.saved(saved)?;
        }
        match end {
            Ok(End::Done) => self.reject(),
            Ok(End::Resting { until }) => self.save_now().map(|()| Outcome::Resting { until }),
            Ok(End::Released) => self.save_now().and(Err(ProcessError::Released)),
            Err(ProcessError::Volume(error)) if error.is_fenced() => Err(error.into()),
            Err(error) => {
                // What was answered is saved all the same, where it can be.
                let _ = self.save_now();
                Err(error)
            }
        }
    }

    /// Sends and hears until nothing is left, or the batch must be let go.
    async fn run(&mut self) -> Result<End, ProcessError> {
        let shutdown = self.turn.shutdown.clone();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.send_all()?;
            if let Some(end) = self.end()? {
                return Ok(end);
            }
            let reads_on = self.may_send() && self.work.fresh.is_empty() && self.work.may_read();
            let printer = self.tools.printer.clone().filter(|printer| !printer.has_room());
            tokio::select! {
                attempt = self.senders.next() => self.answered(attempt),
                Some(expired) = poll_fn(|context| self.work.paused.poll_expired(context)) => {
                    self.work.due.push_back(expired.into_inner());
                }
                saved = saved(&mut self.saving) => self.saved(saved)?,
                _ = tick.tick() => self.tick()?,
                () = shutdown.requested(), if !self.is_stopping => self.is_stopping = true,
                () = print::room(printer.as_deref()) => {}
                // A part of the input without any document.
                () = tokio::task::yield_now(), if reads_on => {}
            }
        }
    }

    fn end(&mut self) -> Result<Option<End>, ProcessError> {
        if self.senders.in_flight() > 0 {
            // Nothing new is begun at a shutdown, and what is in flight is waited for as long as may be.
            let is_over = self.is_stopping && self.turn.shutdown.remaining() <= LETTING_GO;
            return Ok(is_over.then_some(End::Released));
        }
        if self.work.is_done() {
            return Ok(Some(End::Done));
        }
        if self.is_stopping {
            return Ok(Some(End::Released));
        }
        if let Some(error) = self.full.take() {
            return Err(error.into());
        }
        let Some(until) = self.work.only_waits_until() else { return Ok(None) };
        let may_rest = self.tools.concurrency > 1 && self.turn.others_wait();
        let until = until.max(Instant::now() + SHORTEST_REST);
        Ok(may_rest.then_some(End::Resting { until }))
    }

    /// Looks after everything that time alone brings about.
    fn tick(&mut self) -> Result<(), ProcessError> {
        let now = Instant::now();
        self.batch.still_ours()?;
        self.looked.send_replace(now);
        // A volume that never ends an append is stuck; an api that is away, or an output that nobody reads, is not.
        if !self.saving.as_ref().is_some_and(|saving| saving.is_appending.load(Ordering::Relaxed)) {
            self.turn.heartbeat();
        }
        if now - self.refreshed >= REFRESH {
            self.refreshed = now;
            if self.tools.headers.refresh() {
                let headers = post::headers(self.tools.headers.current());
                self.poster = Arc::new(Poster { headers, ..Poster::clone(&self.poster) });
            }
        }
        if now - self.work.saved_at >= SAVE_EVERY || self.work.unsaved.refusals.len() >= MAX_REFUSALS {
            self.save();
        }
        Ok(())
    }

    fn send_all(&mut self) -> Result<(), ProcessError> {
        while self.may_send() {
            let Some(document) = self.work.next_document(&self.batch.input)? else { break };
            self.send(document)?;
        }
        Ok(())
    }

    fn may_send(&self) -> bool {
        let saving = self.saving.as_ref().map_or(0, |saving| saving.sent);
        let concurrency = usize::from(self.tools.concurrency);
        !self.is_stopping
            && self.full.is_none()
            && self.senders.in_flight() < concurrency
            && self.bytes_in_flight + MAX_LINE <= MAX_BYTES
            && self.senders.in_flight() + self.work.unsaved.sent + saving < MAX_UNSAVED
            && (concurrency > 1 || self.work.paused.is_empty())
            && self.tools.printer.as_ref().is_none_or(|printer| printer.has_room())
    }

    fn send(&mut self, mut document: Document) -> Result<(), ProcessError> {
        let lease = self.tools.clients.lease(self.work.sent);
        let lease =
            lease.map_err(|error| ProcessError::Failed(format!("failed to make a client: {error}")))?;
        document.attempts = document.attempts.saturating_add(1);
        self.work.sent += 1;
        self.bytes_in_flight += document.body.len();
        self.senders.send(document, Arc::clone(&self.poster), lease);
        Ok(())
    }

    /// Takes note of an answer, and of all that came with it.
    fn answered(&mut self, attempt: Attempt) {
        let mut next = Some(attempt);
        while let Some(attempt) = next {
            self.note(attempt);
            next = self.senders.try_next();
        }
        if self.work.unsaved.sent >= SAVE_AFTER {
            self.save();
        }
    }

    fn note(&mut self, Attempt { document, answer, slot }: Attempt) {
        self.bytes_in_flight -= document.body.len();
        let is_sound = !matches!(answer, Answer::Failed { why: Failure::NoAnswer | Failure::Cut, .. });
        self.tools.clients.give_back(slot, is_sound);
        let place = document.place;
        if !matches!(answer, Answer::Failed { .. }) {
            self.tools.metrics.document_done(self.batch.seen().elapsed());
        }
        match answer {
            Answer::Delivered { reply } => {
                // First, so that what is saved as answered has its block among those that are waited for.
                if let Some(printer) = &self.tools.printer {
                    printer.print(&document.body, &reply);
                }
                self.tools.report.accepted();
                self.work.unsaved.delivered(place.line);
            }
            Answer::Rejected(reason) => {
                self.tools.report.rejected(place.line, &reason);
                self.work.unsaved.refused(Refusal::new(place, reason));
                self.work.unsaved.sent += 1;
            }
            Answer::Failed { why, reason, retry_after } => {
                self.pause(Paused { place, attempts: document.attempts }, why, &reason, retry_after);
            }
        }
    }

    fn pause(&mut self, paused: Paused, why: Failure, reason: &str, retry_after: Option<Duration>) {
        match why {
            Failure::Misconfigured => self.tools.report.misconfigured(reason),
            // No reason to wait, the first time.
            Failure::Cut if paused.attempts == 1 => return self.work.due.push_back(paused),
            _ => self.tools.report.retry(reason),
        }
        let pause = backoff::pause(paused.attempts, retry_after, &mut fastrand::Rng::new());
        self.work.attempts = self.work.attempts.max(paused.attempts);
        self.work.paused.insert(paused, pause);
    }

    /// Puts what was refused into `rejected/`. It is saved first: where there is no room for it, no document that was
    /// answered may be sent again.
    fn reject(&mut self) -> Result<Outcome, ProcessError> {
        let mut rejected = 0;
        if self.work.progress.refused() > 0 || !self.work.unsaved.refusals.is_empty() {
            self.save_now()?;
            let journal = self.batch.journal()?;
            let refusals = journal.into_iter().flat_map(|journal| self.work.progress.refusals(journal));
            let (input, files, turn) = (&self.batch.input, &mut self.batch.rejected, self.turn);
            rejects::in_order::<ProcessError>(refusals, |refusal| {
                rejected += 1;
                files.start(refusal.place.line, &refusal.reason)?;
                rejects::copy(input, refusal.place, |piece| {
                    if turn.shutdown.grace_is_over() {
                        return Err(ProcessError::Released);
                    }
                    turn.heartbeat();
                    Ok(files.piece(piece)?)
                })?;
                Ok(files.end()?)
            })?;
        }
        let progress = &mut self.work.progress;
        progress.add(mem::take(&mut self.work.unsaved));
        progress.expect(rejected).map_err(|error| ProcessError::Failed(error.to_string()))?;
        let (records, lines) = (self.work.reader.records(), self.work.reader.last_line());
        if !progress.is_complete(lines) {
            let what = format!("not all of the {lines} lines are accounted for");
            return Err(ProcessError::Failed(what));
        }
        Ok(Outcome::Done(Counts { ok: records.saturating_sub(rejected), rejected }))
    }
}
