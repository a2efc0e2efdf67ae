//! Keeps watch over a batch while its documents are delivered.
//!
//! It saves what was answered, looks whether the claim is still ours, wakes senders when a pause ends, keeps the headers
//! up to date, and decides when the work is over. It runs on a thread of its own, so that it may touch the volume; all
//! that it acts upon stands in the ledger, so that waking it once too often, or late, does no harm.

use std::sync::Arc;
use std::time::{Duration, Instant};

use stage::ProcessError;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::sleep_until;
use tracing::warn;
use volume::{Batch, Journal};

use crate::board::Board;
use crate::headers::Headers;
use crate::journal;
use crate::ledger::{Increment, Ledger};
use crate::print::{Mark, Printer};
use crate::progress::Progress;
use crate::sender::Job;

/// It looks around at least so often.
const TURN: Duration = Duration::from_millis(200);
/// Files of headers are looked at so often.
const REFRESH: Duration = Duration::from_secs(1);

/// The watch over one batch.
pub(crate) struct Keeper<'a> {
    job: &'a Arc<Job>,
    batch: &'a mut Batch,
    progress: &'a mut Progress,
    headers: &'a mut Headers,
    senders: &'a mut JoinSet<()>,
    /// Where the next increment is appended; `None` until the first save, and while one goes on.
    journal: Option<Journal>,
    saving: Option<Saving>,
    refreshed: Instant,
    is_ending: bool,
}

/// A save under way.
enum Saving {
    /// The blocks of its documents are on their way to the output.
    Printing { increment: Increment, printed: Mark },
    /// It is on its way to the journal.
    Appending { increment: Increment, append: JoinHandle<Appended> },
}

/// The journal, and whether it holds what was appended.
type Appended = (Journal, Result<(), volume::Error>);

impl Saving {
    /// Waits for the end of the step: `None` once the blocks are written.
    async fn step(&mut self, printer: Option<&Printer>) -> Option<Result<Appended, JoinError>> {
        match self {
            Saving::Printing { printed, .. } => {
                if let Some(printer) = printer {
                    printer.written(*printed).await;
                }
                None
            }
            Saving::Appending { append, .. } => Some(append.await),
        }
    }
}

/// What there is to do after a look at the ledger.
struct Standing {
    is_done: bool,
    in_flight: usize,
    save_due: Option<Instant>,
    next_due: Option<Instant>,
    /// How many pauses are over.
    due: usize,
}

impl Standing {
    fn of(ledger: &mut Ledger, now: Instant) -> Self {
        Standing {
            is_done: ledger.is_done(),
            in_flight: ledger.in_flight(),
            save_due: ledger.save_due(),
            next_due: ledger.next_due(),
            due: ledger.due(now),
        }
    }
}

impl<'a> Keeper<'a> {
    pub(crate) fn new(
        job: &'a Arc<Job>,
        batch: &'a mut Batch,
        progress: &'a mut Progress,
        headers: &'a mut Headers,
        senders: &'a mut JoinSet<()>,
    ) -> Self {
        let (journal, saving, refreshed) = (None, None, Instant::now());
        Keeper { job, batch, progress, headers, senders, journal, saving, refreshed, is_ending: false }
    }

    /// Keeps watch until every document is answered; returns what of it was not saved any more.
    ///
    /// # Errors
    /// The batch was taken over, must be released, or cannot go on. What was answered is saved, where it can be.
    pub(crate) async fn run(mut self) -> Result<Increment, ProcessError> {
        loop {
            if let Some(error) = self.job.board.take_failure() {
                return Err(self.save_rest().await.err().unwrap_or(ProcessError::Input(error)));
            }
            self.look()?;
            self.refresh();
            let now = Instant::now();
            let standing = self.board().with(|ledger| Standing::of(ledger, now));
            if standing.is_done && !self.is_appending() {
                return Ok(self.take_unsaved());
            }
            if self.has_to_release(&standing) {
                self.save_rest().await?;
                return Err(ProcessError::Released);
            }
            self.beat(&standing, now);
            self.board().wake_senders(standing.due);
            if self.saving.is_none() && standing.save_due.is_some_and(|due| due <= now) {
                self.save()?;
            }
            self.wait(now, &standing).await?;
        }
    }

    fn board(&self) -> &'a Board {
        &self.job.board
    }

    /// Looks whether the claim is still ours, where a sender wants to know.
    fn look(&self) -> Result<(), ProcessError> {
        if self.board().is_look_wanted() {
            let at = Instant::now();
            self.batch.still_ours()?;
            self.board().looked_at(at);
        }
        Ok(())
    }

    fn refresh(&mut self) {
        if self.refreshed.elapsed() >= REFRESH {
            self.headers.refresh();
            self.refreshed = Instant::now();
        }
    }

    /// After the request to stop: hands out nothing new, and waits for what is in flight as long as it may.
    fn has_to_release(&mut self, standing: &Standing) -> bool {
        let shutdown = self.job.pulse.shutdown();
        if shutdown.is_requested() && !self.is_ending {
            self.is_ending = true;
            self.board().with(Ledger::end);
            return self.board().with(|ledger| ledger.in_flight()) == 0;
        }
        self.is_ending && (standing.in_flight == 0 || shutdown.grace_is_over())
    }

    /// Pauses and attempts are progress as long as they end: a stage that waits for the api is not stuck.
    fn beat(&self, standing: &Standing, now: Instant) {
        let pauses = standing.next_due.is_some_and(|due| due > now);
        let attempts =
            standing.in_flight > 0 && self.board().since_last_attempt() < self.job.tools.client.timeout;
        if pauses || attempts {
            self.job.pulse.beat(now);
        }
    }

    fn printer(&self) -> Option<&'a Printer> {
        self.job.tools.printer.as_ref()
    }

    fn is_appending(&self) -> bool {
        matches!(self.saving, Some(Saving::Appending { .. }))
    }

    /// Takes what was answered and is not on its way to the journal.
    fn take_unsaved(&mut self) -> Increment {
        let later = self.board().with(Ledger::begin_save);
        match self.saving.take() {
            Some(Saving::Printing { mut increment, .. }) => {
                increment.append(later);
                increment
            }
            appending => {
                self.saving = appending;
                later
            }
        }
    }

    /// Begins to make durable what was answered, once it is printed.
    fn save(&mut self) -> Result<(), ProcessError> {
        let increment = self.board().with(Ledger::begin_save);
        match self.printer() {
            Some(printer) => {
                self.saving = Some(Saving::Printing { increment, printed: printer.mark() });
                Ok(())
            }
            None => self.append(increment),
        }
    }

    /// The volume may take its time with what is appended: meanwhile the claim must be looked at.
    fn append(&mut self, increment: Increment) -> Result<(), ProcessError> {
        let Some(mut journal) = self.journal.take() else {
            return self.save_anew(&increment);
        };
        let mut bytes = Vec::new();
        journal::encode(&increment, &mut bytes);
        let append = tokio::task::spawn_blocking(move || {
            let outcome = journal.append(&bytes);
            (journal, outcome)
        });
        self.saving = Some(Saving::Appending { increment, append });
        Ok(())
    }

    /// Goes on with the save after a step of it.
    fn go_on(&mut self, step: Option<Result<Appended, JoinError>>) -> Result<(), ProcessError> {
        match (self.saving.take(), step) {
            (Some(Saving::Printing { increment, .. }), None) => self.append(increment),
            (Some(Saving::Appending { increment, .. }), Some(appended)) => {
                self.end_save(&increment, appended)
            }
            _ => Ok(()),
        }
    }

    /// Writes a journal of its own for all that is known; a failure of this one ends the batch.
    fn save_anew(&mut self, increment: &Increment) -> Result<(), ProcessError> {
        self.journal = Some(self.progress.begin_journal(self.batch, increment)?);
        self.saved(increment);
        Ok(())
    }

    fn saved(&mut self, increment: &Increment) {
        self.progress.add(increment);
        self.board().with(|ledger| ledger.saved(increment));
    }

    /// Ends a save.
    fn end_save(
        &mut self,
        increment: &Increment,
        appended: Result<Appended, JoinError>,
    ) -> Result<(), ProcessError> {
        match appended.map_err(|error| ProcessError::Input(error.into()))? {
            (journal, Ok(())) => {
                self.journal = Some(journal);
                self.saved(increment);
                Ok(())
            }
            (_, Err(error)) if error.is_fenced() => Err(error.into()),
            (_, Err(error)) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "the progress could not be saved: it is written anew"
                );
                self.save_anew(increment)
            }
        }
    }

    /// Makes all that was answered durable, before the batch is released.
    async fn save_rest(&mut self) -> Result<(), ProcessError> {
        if self.is_appending()
            && let Some(saving) = &mut self.saving
        {
            let appended = saving.step(None).await;
            self.go_on(appended)?;
        }
        if let Some(printer) = self.printer() {
            printer.flush_if_read().await;
        }
        let rest = self.take_unsaved();
        if rest.answered.is_empty() {
            return Ok(());
        }
        match self.journal.take() {
            None => self.save_anew(&rest),
            Some(mut journal) => {
                let mut bytes = Vec::new();
                journal::encode(&rest, &mut bytes);
                let outcome = journal.append(&bytes);
                self.end_save(&rest, Ok((journal, outcome)))
            }
        }
    }

    /// Waits until there may be something to do.
    async fn wait(&mut self, now: Instant, standing: &Standing) -> Result<(), ProcessError> {
        let save_due = standing.save_due.filter(|_| self.saving.is_none());
        let next_due = standing.next_due.filter(|due| *due > now);
        let turn = [Some(now + TURN), save_due, next_due].into_iter().flatten().min().unwrap_or(now + TURN);
        tokio::select! {
            () = self.job.board.keeper.notified() => {}
            () = sleep_until(turn.into()) => {}
            () = self.job.pulse.shutdown().requested(), if !self.is_ending => {}
            step = async {
                match &mut self.saving {
                    Some(saving) => saving.step(self.job.tools.printer.as_ref()).await,
                    None => std::future::pending().await,
                }
            } => self.go_on(step)?,
            Some(Err(error)) = self.senders.join_next() => {
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
        }
        Ok(())
    }
}
