//! A stage's loop, as in `lib/stage`, but for a clock that it turns itself.

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use super::batch_file::{BROKEN, converted, is_broken, is_refused};
use super::delivery::deliver;
use super::environment::{DocumentKey, Event};
use super::machine;
use super::stages::STAGES;
use crate::{Batch, Claim, Commit, Error, Next, Scanner, Taken, Volume};

/// No run needs as many looks, and none as long a pause.
const MOST_LOOKS: usize = 100;
const LONG: Duration = Duration::from_secs(100);

/// A stage at work.
pub(super) struct Worker {
    stage: usize,
    scanner: Scanner,
    has_rested: bool,
}

impl Worker {
    pub(super) fn new(volume: &Volume, stage: usize) -> Self {
        let scanner = Scanner::new(volume.clone(), STAGES[stage], Duration::ZERO, Duration::ZERO);
        Worker { stage, scanner, has_rested: false }
    }

    /// Takes up to `batches` that are not committed yet, and waits for nothing but by the clock that it turns itself.
    pub(super) fn run(mut self, mut batches: usize, work: impl Fn(&mut Self, Claim) -> Result<(), Error>) {
        let mut now = Instant::now();
        for _ in 0..MOST_LOOKS {
            if machine::is_dead() || batches == 0 {
                return;
            }
            let (batch, done) = match self.scanner.next(now) {
                Ok(Next::Nothing { again: None }) => return,
                Ok(Next::Nothing { again: Some(again) }) => {
                    now = again;
                    continue;
                }
                Ok(Next::Taken(Taken::Ready(claim))) => {
                    batches -= 1;
                    (claim.id(), work(&mut self, claim))
                }
                Ok(Next::Taken(Taken::Committed(committed))) => {
                    (committed.id(), committed.publish().map(|_| ()))
                }
                Err(error) => (String::new(), Err(error)),
            };
            if let Err(error) = done {
                machine::complain(&error);
                self.scanner.failed(&batch, now);
                now += LONG;
            }
        }
        machine::give_up("it finds no end");
    }

    /// Converts a batch, or delivers it, and hands it on.
    pub(super) fn work(&mut self, claim: Claim) -> Result<(), Error> {
        let (batch, sent) = self.process(claim)?;
        match if is_to_be_refused(&batch) { batch.refuse(BROKEN)? } else { batch.commit()? } {
            Commit::Done(committed) => {
                machine::note(Event::Saved(sent));
                committed.publish()?;
            }
            Commit::Changed(claim) => self.scanner.defer(claim),
        }
        Ok(())
    }

    /// Works on a batch up to its commit; returns what was sent of it. What was made of one that fails is deleted.
    pub(super) fn process(&mut self, claim: Claim) -> Result<(Batch, Vec<DocumentKey>), Error> {
        let mut batch = claim.begin()?;
        let is_last = self.stage + 1 == STAGES.len();
        let done = match is_last {
            true if is_to_be_refused(&batch) => Ok(Vec::new()),
            true => deliver(&mut batch, self.stage),
            false => self.convert(&mut batch),
        };
        match done {
            Ok(sent) => Ok((batch, sent)),
            Err(error) => {
                batch.still_ours()?;
                batch.discard()?;
                Err(error)
            }
        }
    }

    /// Has the first batch rest when all but its commit is done.
    pub(super) fn rest_or_work(&mut self, claim: Claim) -> Result<(), Error> {
        if std::mem::replace(&mut self.has_rested, true) {
            return self.work(claim);
        }
        let (batch, _) = self.process(claim)?;
        self.scanner.rest(batch.rest(), Instant::now());
        Ok(())
    }

    /// Sends nothing.
    fn convert(&self, batch: &mut Batch) -> Result<Vec<DocumentKey>, Error> {
        for (index, line) in lines(batch).into_iter().enumerate() {
            if is_refused(&line, self.stage) {
                reject(batch, index, &line)?;
            } else {
                let line = format!("{}\n", converted(&line, self.stage));
                batch.output.write_all(line.as_bytes()).map_err(volume_error)?;
            }
        }
        Ok(Vec::new())
    }
}

/// Whether a batch's input is to be refused as a whole.
fn is_to_be_refused(batch: &Batch) -> bool {
    let mut input = vec![0; usize::try_from(batch.input_len()).unwrap_or_default()];
    batch.input.read_exact_at(&mut input, 0).expect("memory can be read");
    String::from_utf8_lossy(&input).lines().any(is_broken)
}

/// Reads a batch's input.
pub(super) fn lines(batch: &mut Batch) -> Vec<String> {
    let mut input = Vec::new();
    batch.input.read_to_end(&mut input).expect("memory can be read");
    // What a power cut garbled, though it was to be durable, is found out by what becomes of it.
    String::from_utf8_lossy(&input).lines().map(str::to_owned).collect()
}

/// Puts a line into `rejected/`; `index` counts from 0.
pub(super) fn reject(batch: &mut Batch, index: usize, line: &str) -> Result<(), Error> {
    let files = &mut batch.rejected;
    let written = files.start(index as u64 + 1, "refused");
    written.and_then(|()| files.piece(line.as_bytes())).and_then(|()| files.end()).map_err(volume_error)
}

/// The volume's error in what one of its writers returned.
pub(super) fn volume_error(error: io::Error) -> Error {
    Error::unwrap_io(error).expect("only the volume fails here")
}
