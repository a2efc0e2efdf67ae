//! The programs, as short as they can be: what they do on the volume is what the real ones do.

use std::io::Write as _;
use std::path::Path;

use super::batch_file::{BatchFile, FORMATS};
use super::environment::Event;
use super::machine;
use super::worker::{Worker, volume_error};
use crate::fs::FileSystem;
use crate::self_test::Abilities as Found;
use crate::{Claim, Error, Spec, Volume};

pub(super) const DRAFTS: Spec = Spec { name: "getdata", stem: "listing", input: None, output: Some("txt") };
pub(super) const STAGES: [Spec; 3] = [
    Spec { name: "text-to-csv", stem: "listing", input: Some("txt"), output: Some("csv") },
    Spec { name: "csv-to-json", stem: "listing", input: Some("csv"), output: Some("json") },
    Spec { name: "json-to-api", stem: "listing", input: Some("json"), output: None },
];

/// More than the calls of one program that fail.
const MOST_STARTS: usize = 3;
/// What the volume can do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Abilities {
    pub(super) no_replace: bool,
    pub(super) leases: bool,
    pub(super) renames_as_one: bool,
    /// Inputs are kept.
    pub(super) archives: bool,
}

/// Where they are.
pub(super) const ARCHIVE: &str = "archive";

impl Abilities {
    /// Those of a volume on which a rename is one unit.
    pub(super) fn of(no_replace: bool, leases: bool) -> Self {
        Abilities { no_replace, leases, renames_as_one: true, archives: false }
    }

    /// Opens the volume; a program that cannot is started anew.
    pub(super) fn open(self, root: &Path) -> Option<Volume> {
        let limit = |found: Found| Found {
            no_replace: found.no_replace && self.no_replace,
            leases: found.leases && self.leases,
            file_system: FileSystem { renames_as_one: self.renames_as_one, ..found.file_system },
        };
        (0..MOST_STARTS).find_map(|_| {
            let volume = Volume::limited(root, limit).ok()?;
            let is_archived = !self.archives || volume.archive_inputs(Path::new(ARCHIVE), None).is_ok();
            is_archived.then_some(volume)
        })
    }
}

/// A program that can be run.
#[derive(Debug, Clone)]
pub(super) enum Program {
    /// The stage of this number, until nothing is left that it can take.
    Stage(usize),
    /// The stage of this number gives its first batch back, whose name someone may have taken meanwhile.
    GiveBack(usize, Option<BatchFile>),
    /// The stage of this number works on its first batch, in vain.
    Discard(usize),
    /// The stage of this number, whose first batch rests once before it is done.
    Rest(usize),
    /// Someone else takes what the stage of this number published, and deletes it.
    Collect(usize),
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
            Program::Discard(stage) => {
                Worker::new(volume, stage).run(1, |worker, claim| worker.process(claim)?.0.discard());
            }
            Program::Rest(stage) => Worker::new(volume, stage).run(usize::MAX, Worker::rest_or_work),
            Program::GiveBack(stage, file) => {
                let give_back = |_: &mut Worker, claim: Claim| {
                    if let (Some(name), Some(file)) = (claim.source.clone(), &file) {
                        machine::note(Event::PutIn(file.clone()));
                        machine::drop_in(&name, &file.text(stage));
                    }
                    let waiting = volume.waiting(STAGES[stage])?;
                    claim.put_back()?;
                    if machine::is_undisturbed() && volume.waiting(STAGES[stage])? == waiting {
                        machine::give_up("what was given back is not there");
                    }
                    Ok(())
                };
                Worker::new(volume, stage).run(1, give_back);
            }
            Program::Collect(stage) => collect(volume, stage),
            Program::Draft(file) => {
                if let Err(error) = draft(volume, file) {
                    machine::complain(&error);
                }
            }
        }
    }
}

/// All lines of what the stage of this number published arrive elsewhere.
fn collect(volume: &Volume, stage: usize) {
    let name = format!("listing.{}", FORMATS[stage + 1]);
    let Ok(text) = std::fs::read_to_string(volume.root().join(&name)) else { return };
    for (line, text) in text.lines().enumerate() {
        let key = ("elsewhere".to_owned(), line);
        machine::note(Event::Sent { key, document: text.replacen(FORMATS[stage + 1], FORMATS[2], 1) });
    }
    machine::take_away(&name);
}

fn draft(volume: &Volume, file: Option<(BatchFile, bool)>) -> Result<(), Error> {
    volume.recover_drafts(DRAFTS)?;
    let Some((file, is_wanted)) = file else { return Ok(()) };
    let mut draft = volume.begin_draft(DRAFTS)?;
    draft.create_input()?;
    for ((line, is_refused), number) in file.drafted().zip(1..) {
        if is_refused {
            draft.rejected.start(number, "refused").map_err(volume_error)?;
            draft.rejected.piece(line.as_bytes()).map_err(volume_error)?;
            draft.rejected.end().map_err(volume_error)?;
        } else {
            draft.output.write_all(format!("{} {line}\n", FORMATS[0]).as_bytes()).map_err(volume_error)?;
        }
    }
    if !is_wanted {
        return draft.discard();
    }
    machine::note(Event::Begun(file.clone()));
    draft.publish()?;
    machine::note(Event::Published(file));
    Ok(())
}
