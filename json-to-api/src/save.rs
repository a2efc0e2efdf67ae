//! Makes durable what was answered: first its blocks are printed, then it is appended to the journal.
//!
//! The journal follows the log: a kill between the two has a document sent again rather than its block lost.

use std::future::pending;
use std::mem;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use stage::ProcessError;
use tokio::task::JoinHandle;
use tracing::warn;
use volume::Journal;

use crate::deliver::Run;
use crate::document::Increment;
use crate::journal;

/// A save under way: first the blocks are printed, then the increment is appended to the journal.
pub(crate) struct Saving {
    /// How many documents it covers.
    pub(crate) sent: usize,
    /// The volume is at work.
    pub(crate) is_appending: Arc<AtomicBool>,
    task: JoinHandle<Saved>,
}

pub(crate) struct Saved {
    journal: Journal,
    increment: Increment,
    appended: Result<(), volume::Error>,
    /// Whether there is room for what will be sent from now on; for what was sent until now there is.
    reserved: Result<(), volume::Error>,
}

impl Run<'_> {
    /// Begins to make durable what was answered, once it is printed.
    pub(crate) fn save(&mut self) {
        if self.work.unsaved.is_empty() || self.saving.is_some() {
            return;
        }
        let Some(mut journal) = self.work.journal.take() else { return };
        let increment = mem::take(&mut self.work.unsaved);
        let (sent, room) = (increment.sent, self.work.room);
        let is_appending = Arc::new(AtomicBool::new(false));
        let printed = self.tools.printer.clone().map(|printer| (printer.mark(), printer));
        let (hurry, appends) = (self.hurry.clone(), Arc::clone(&is_appending));
        let task = tokio::spawn(async move {
            if let Some((mark, printer)) = printed {
                tokio::select! {
                    () = printer.written(mark) => {}
                    () = hurry.cancelled() => {}
                }
            }
            appends.store(true, Ordering::Relaxed);
            // The volume may take its time: meanwhile the claim must be looked at.
            let append = tokio::task::spawn_blocking(move || {
                let appended = append(&mut journal, &increment);
                let reserved = journal.reserve(room);
                Saved { journal, increment, appended, reserved }
            });
            append.await.unwrap_or_else(|error| panic::resume_unwind(error.into_panic()))
        });
        self.saving = Some(Saving { sent, is_appending, task });
    }

    /// Ends a save. One that failed is done once more, in a journal of its own for all that is known.
    pub(crate) fn saved(&mut self, saved: Saved) -> Result<(), ProcessError> {
        let Saved { mut journal, increment, appended, reserved } = saved;
        match appended {
            Ok(()) => self.full = reserved.err(),
            Err(error) if error.is_fenced() => return Err(error.into()),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                warn!(error, "the progress could not be saved: it is written anew");
                // First, for its room.
                drop(journal);
                journal = self.work.progress.create_journal(self.batch, self.work.room)?;
                append(&mut journal, &increment)?;
            }
        }
        self.work.progress.add(increment);
        self.work.journal = Some(journal);
        self.work.saved_at = Instant::now();
        Ok(())
    }

    /// Makes all that was answered durable, before the batch is let go.
    pub(crate) fn save_now(&mut self) -> Result<(), ProcessError> {
        if self.work.unsaved.is_empty() {
            return Ok(());
        }
        let Some(mut journal) = self.work.journal.take() else { return Ok(()) };
        let increment = mem::take(&mut self.work.unsaved);
        let appended = append(&mut journal, &increment);
        self.saved(Saved { journal, increment, appended, reserved: Ok(()) })
    }
}

fn append(journal: &mut Journal, increment: &Increment) -> Result<(), volume::Error> {
    let mut bytes = Vec::new();
    journal::encode(increment, &mut bytes);
    journal.append(&bytes)
}

/// Waits for the end of a save, for ever if there is none.
pub(crate) async fn saved(saving: &mut Option<Saving>) -> Saved {
    let Some(Saving { task, .. }) = saving else { return pending().await };
    let saved = task.await.unwrap_or_else(|error| panic::resume_unwind(error.into_panic()));
    *saving = None;
    saved
}
