//! Delivers a batch: starts the reader and the senders, keeps watch, and puts what was refused into `rejected/`.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use records::Counts;
use stage::{Process, ProcessError, Pulse};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use volume::Batch;

use crate::board::Board;
use crate::crew;
use crate::headers::Headers;
use crate::keeper::Keeper;
use crate::ledger::{Increment, Ledger};
use crate::progress::Progress;
use crate::rejects;
use crate::sender::{Job, Tools};
use crate::source::Source;

/// An input that is no longer takes no time to read, in bytes.
const SMALL: u64 = 64 << 10;

/// The stage's process: POSTs every document of a batch.
pub(crate) struct Delivery {
    pub(crate) tools: Arc<Tools>,
    pub(crate) headers: Headers,
    pub(crate) concurrency: u16,
}

impl Process for Delivery {
    fn process(&mut self, batch: &mut Batch, pulse: &Pulse) -> Result<Counts, ProcessError> {
        Handle::current().block_on(self.deliver(batch, pulse))
    }
}

impl Delivery {
    async fn deliver(&mut self, batch: &mut Batch, pulse: &Pulse) -> Result<Counts, ProcessError> {
        let mut progress = Progress::read(batch)?;
        let job = Arc::new(Job {
            tools: Arc::clone(&self.tools),
            board: Board::new(self.concurrency),
            input: batch.input.try_clone()?,
            key: batch.key().to_owned(),
            pulse: pulse.clone(),
        });
        let _end = EndOnDrop(&job.board);
        self.headers.refresh();
        let source = Source::new(batch.input.try_clone()?, progress.answered().clone());
        let most = start_reading(&job, source, batch.input_len())?;
        let mut senders = JoinSet::new();
        for size in crew::sizes(most.min(self.concurrency)) {
            senders.spawn(crew::run(Arc::clone(&job), self.headers.subscribe(), size));
        }
        let keeper = Keeper::new(&job, batch, &mut progress, &mut self.headers, &mut senders);
        let outcome = keeper.run().await;
        job.board.with(Ledger::end);
        if outcome.is_err() {
            senders.abort_all();
        }
        // After this nothing is sent any more.
        while senders.join_next().await.is_some() {}
        let last = outcome?;
        if let Some(printer) = &self.tools.printer {
            // Whoever is told that the batch is done finds its blocks printed, but for an output that nobody reads.
            printer.flush_if_read().await;
        }
        let (records, lines) = job.board.with(|ledger| ledger.read());
        let rejected = reject(&job.input, batch, &mut progress, &last, pulse)?;
        if !progress.answered().is_all(lines) {
            let what = format!("not all of the {lines} lines are accounted for");
            return Err(ProcessError::Input(io::Error::other(what)));
        }
        Ok(Counts { ok: records.saturating_sub(rejected), rejected })
    }
}

/// Ends the work however the batch's own task ends: the reader would else wait for ever.
struct EndOnDrop<'a>(&'a Board);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.with(Ledger::end);
    }
}

/// Has the input read; returns as how many documents there may be. What is small is read at once: to start a thread for
/// it, and senders that find nothing to do, would take longer.
fn start_reading(job: &Arc<Job>, mut source: Source<File>, length: u64) -> io::Result<u16> {
    if length <= SMALL {
        let chunk = source.next_chunk()?;
        let (documents, is_last) = (chunk.documents.len(), chunk.is_last);
        job.board.supply(chunk);
        if is_last {
            return Ok(u16::try_from(documents).unwrap_or(u16::MAX));
        }
    }
    // Not waited for at the end: it only reads, and stops when it is told to.
    tokio::task::spawn_blocking({
        let job = Arc::clone(job);
        move || read(&job, source)
    });
    Ok(u16::MAX)
}

/// Reads the input, ahead of the senders, until it ends or they do.
fn read(job: &Job, mut source: Source<File>) {
    while job.board.wait_until_hungry() {
        match source.next_chunk() {
            Ok(chunk) => job.board.supply(chunk),
            Err(error) => return job.board.fail(error),
        }
    }
}

/// Puts what was refused into `rejected/`, what was saved of it and the last, unsaved increment; returns how much it is.
fn reject(
    input: &File,
    batch: &mut Batch,
    progress: &mut Progress,
    last: &Increment,
    pulse: &Pulse,
) -> Result<u64, ProcessError> {
    let mut rejected = 0;
    {
        let journal = if progress.refused() == 0 { None } else { batch.journal()? };
        let saved = journal.into_iter().flat_map(|journal| progress.refusals(journal));
        let unsaved = last.refusals.iter().cloned().map(Ok);
        let files = &mut batch.rejected;
        rejects::in_order(saved.chain(unsaved), |refusal| {
            if pulse.shutdown().grace_is_over() {
                return Err(ProcessError::Released);
            }
            pulse.beat(Instant::now());
            rejected += 1;
            files.start(refusal.place.line, &refusal.reason)?;
            rejects::copy(input, refusal.place, |piece| files.piece(piece))?;
            Ok(files.end()?)
        })?;
    }
    progress.add(last);
    progress.expect(rejected)?;
    Ok(rejected)
}
