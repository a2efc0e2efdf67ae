//! The programs, as short as they can be: what they do on the volume is what the real ones do.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::batch_file::{BatchFile, FORMATS, converted, is_refused};
use super::delivery::deliver;
use super::machine;
use super::world::{Deed, DocumentKey};
use crate::{Batch, Claim, Commit, Error, Inbox, Next, Spec, Taken, Volume};

pub(super) const DRAFTS: Spec = Spec { name: "getdata", input: None, output: Some("txt") };
pub(super) const STAGES: [Spec; 3] = [
    Spec { name: "text-to-csv", input: Some("txt"), output: Some("csv") },
    Spec { name: "csv-to-json", input: Some("csv"), output: Some("json") },
    Spec { name: "json-to-api", input: Some("json"), output: None },
];

/// More than the calls of one program that fail.
const MOST_STARTS: usize = 3;
/// No run needs as many looks, and none as long a pause.
const MOST_LOOKS: usize = 100;
const LONG: Duration = Duration::from_secs(100);

/// What the volume can do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Abilities {
    pub(super) no_replace: bool,
    pub(super) leases: bool,
}

impl Abilities {
    /// Opens the volume; a program that cannot is started anew.
    pub(super) fn open(self, root: &Path) -> Option<Volume> {
        (0..MOST_STARTS).find_map(|_| Volume::with(root, self.no_replace, self.leases).ok())
    }
}

/// A program that can be run.
#[derive(Debug, Clone)]
pub(super) enum Program {
    /// The stage of this number, until nothing is left that it can take.
    Stage(usize),
    /// The stage of this number gives its first batch back, whose name someone may have taken meanwhile.
    GiveBack(usize, Option<BatchFile>),
    /// Writes a file, unless it is only to tidy up, and publishes it or thinks better of it.
    Draft(Option<(BatchFile, bool)>),
}

impl Program {
    /// Opens the volume and works on it.
    pub(super) fn run(self, root: &Path, abilities: Abilities) {
        match abilities.open(root) {
            Some(volume) => self.work(&volume),
            None => machine::give_up("the volume cannot be opened"),
        }
    }

    /// Works on an open volume.
    pub(super) fn work(self, volume: &Volume) {
        match self {
            Program::Stage(stage) => {
                Worker::new(volume, stage).run(usize::MAX, |worker, claim| worker.work(claim))
            }
            Program::GiveBack(stage, file) => {
                let give_back = |_: &mut Worker, claim: Claim| {
                    if let (Some(name), Some(file)) = (claim.source.clone(), &file) {
                        machine::note(Deed::PutIn(file.clone()));
                        machine::drop_in(&name, &file.text(stage));
                    }
                    let (volume, format) = (claim.volume.clone(), FORMATS[stage]);
                    claim.put_back()?;
                    if machine::is_undisturbed() && volume.waiting(format)? == 0 {
                        machine::give_up("what was given back is not there");
                    }
                    Ok(())
                };
                Worker::new(volume, stage).run(1, give_back);
            }
            Program::Draft(file) => {
                if let Err(error) = draft(volume, file) {
                    machine::complain(&error);
                }
            }
        }
    }
}

fn draft(volume: &Volume, file: Option<(BatchFile, bool)>) -> Result<(), Error> {
    volume.recover_drafts(DRAFTS)?;
    let Some((file, is_wanted)) = file else { return Ok(()) };
    let mut draft = volume.begin_draft(DRAFTS)?;
    for piece in file.text(0).split_inclusive('\n') {
        draft.output().write_all(piece.as_bytes()).map_err(volume_error)?;
    }
    if !is_wanted {
        return draft.discard();
    }
    machine::note(Deed::Begun(file.clone()));
    draft.publish()?;
    machine::note(Deed::Published(file));
    Ok(())
}

/// A stage's loop.
struct Worker {
    stage: usize,
    inbox: Inbox,
}

impl Worker {
    fn new(volume: &Volume, stage: usize) -> Self {
        let inbox = Inbox::new(volume.clone(), STAGES[stage], Duration::ZERO, Duration::ZERO);
        Worker { stage, inbox }
    }

    /// Takes up to `batches` that are not committed yet, and waits for nothing but by the clock that it turns itself.
    fn run(mut self, mut batches: usize, work: impl Fn(&mut Self, Claim) -> Result<(), Error>) {
        let mut now = Instant::now();
        for _ in 0..MOST_LOOKS {
            if machine::is_dead() || batches == 0 {
                return;
            }
            let (batch, done) = match self.inbox.next(now) {
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
                    (committed.id(), committed.hand_on().map(|_| ()))
                }
                Err(error) => (String::new(), Err(error)),
            };
            if let Err(error) = done {
                machine::complain(&error);
                self.inbox.failed(&batch, now);
                now += LONG;
            }
        }
        machine::give_up("it finds no end");
    }

    fn work(&mut self, claim: Claim) -> Result<(), Error> {
        let mut batch = claim.begin()?;
        let is_last = self.stage + 1 == STAGES.len();
        let done = if is_last { deliver(&mut batch, self.stage) } else { self.convert(&mut batch) };
        let sent = match done {
            Ok(sent) => sent,
            Err(error) => return Err(batch.still_ours().err().unwrap_or(error)),
        };
        match batch.commit()? {
            Commit::Done(committed) => {
                machine::note(Deed::Saved(sent));
                committed.hand_on()?;
            }
            Commit::Changed(claim) => self.inbox.hold(claim),
        }
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

fn volume_error(error: std::io::Error) -> Error {
    Error::unwrap_io(error).expect("only the volume fails here")
}
