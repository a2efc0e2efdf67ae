//! Where inputs are kept once their batches are done.
//!
//! A file is called `<stem>-<batch id>.<ext>` there, compressed or not: each owner of a batch knows that name, and nobody else
//! gives it. It tells when the batch was claimed, which is what the age of a file counts from: the time of a file is its
//! writer's affair, and may be that of what it is a copy of.

use std::fs::ReadDir;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::warn;
use uuid::Uuid;

use crate::claim::Claim;
use crate::error::{Context, Error, OpenError};
use crate::names::{self, Format, PublicName};
use crate::volume::{is_directory, make_directories, private, rejected};
use crate::{fs, links, publish};

/// So many names are looked at in one look for old files, and so many of these deleted: other work waits meanwhile.
const LOOKED_AT: usize = 10_000;
const DELETED: usize = 1_000;
/// From the end of one pass over the directory to the next.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A name is the batch's own: more than a few tries are a file system that does not tell the truth.
const ATTEMPTS: usize = 100;

/// The directory that keeps the inputs.
#[derive(Debug)]
pub(crate) struct Archive {
    directory: PathBuf,
    /// How old files get; `None`: nothing is deleted.
    keep: Option<Duration>,
    pass: Mutex<Pass>,
}

/// A pass over the directory, from look to look.
#[derive(Debug, Default)]
struct Pass {
    entries: Option<ReadDir>,
    next: Option<Instant>,
}

impl Archive {
    /// Opens a directory, which is made where it is missing below the data directory.
    pub(crate) fn open(root: &Path, directory: &Path, keep: Option<Duration>) -> Result<Self, OpenError> {
        let directory = root.join(directory);
        let unfit = |act| {
            let path = directory.clone();
            move |source| OpenError::UnfitArchive { path, act, source }
        };
        if is_below(root, &directory) {
            make_directories(root, &directory).map_err(|error| unfit("be made")(error.into_io()))?;
        }
        let [real_root, real] = [root, &directory].map(std::fs::canonicalize);
        let (real_root, real) = (real_root.map_err(unfit("be found"))?, real.map_err(unfit("be found"))?);
        let is_private = |of: fn(&Path) -> PathBuf| real.starts_with(of(&real_root));
        // What a stage looks through would have it take what it put there; of several chains each has a `.pipe`.
        let is_ours = is_private(rejected) || is_private(|root| root.join(".pipe"));
        if is_ours || fs::look(&private(&real)).map_err(unfit("be looked at"))?.is_some() {
            return Err(OpenError::ScannedArchive { path: directory });
        }
        fs::can_move_between(root, &directory).map_err(unfit("take files from the data directory"))?;
        Ok(Archive { directory, keep, pass: Mutex::default() })
    }

    /// Moves the input of a batch there, never over another file. It is durable once the claim is synced.
    pub(crate) fn take(&self, claim: &Claim, format: Format) -> Result<(), Error> {
        let root = claim.volume.root();
        if is_below(root, &self.directory) && !is_directory(&self.directory) {
            make_directories(root, &self.directory)?;
        }
        let from = claim.input();
        let mut taken = 0;
        for _ in 0..ATTEMPTS {
            let to = self.directory.join(format.file_name(&name(claim, taken)));
            // A power cut may have left both: to rename a file onto another name of its own does nothing.
            if links::is_same(&claim.volume, &from, &to) {
                return claim.directory.unlink(&claim.compression.input_of(claim.name.generation));
            }
            let can_refuse = claim.volume.can_rename_without_replacing();
            match rename(claim, &from, &to, can_refuse) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => taken += 1,
                Err(error) if can_refuse && fs::is_unsupported(&error) => {}
                Err(error) if error.kind() == ErrorKind::NotFound && is_directory(&self.directory) => {
                    return Err(claim.taken_over());
                }
                done => return claim.directory.fenced(done.act("archive", &to)),
            }
        }
        Err(io::Error::from(ErrorKind::AlreadyExists)).act("find a free name in the archive for", &from)
    }

    /// Deletes some of the files of this format that were put there too long ago, where it is time for that.
    pub(crate) fn delete_old(&self, format: Format, now: Instant) {
        let Some(keep) = self.keep else { return };
        let mut pass = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        if pass.entries.is_none() && pass.next.is_some_and(|next| now < next) {
            return;
        }
        if let Err(error) = self.go_on(&mut pass, format, keep) {
            warn!(directory = %self.directory.display(), %error, "old files of the archive could not be deleted");
            pass.entries = None;
        }
        if pass.entries.is_none() {
            pass.next = Some(now + LONGEST_PAUSE.min(keep / 8));
        }
    }

    fn go_on(&self, pass: &mut Pass, format: Format, keep: Duration) -> io::Result<()> {
        let mut entries = match pass.entries.take() {
            Some(entries) => entries,
            None => std::fs::read_dir(&self.directory)?,
        };
        let mut deleted = 0;
        for _ in 0..LOOKED_AT {
            let Some(entry) = entries.next().transpose()? else { return Ok(()) };
            let is_old =
                || batch(format, &entry.file_name()).and_then(names::age).is_some_and(|age| age > keep);
            if !is_old() || !entry.file_type()?.is_file() {
                continue;
            }
            match fs::unlink(&entry.path()) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => deleted += 1,
            }
            if deleted == DELETED {
                break;
            }
        }
        pass.entries = Some(entries);
        Ok(())
    }
}

fn rename(claim: &Claim, from: &Path, to: &Path, can_refuse: bool) -> io::Result<()> {
    let renamed = if can_refuse {
        claim.volume.rename_no_replace(from, to)
    } else if fs::look(from)?.is_some() && fs::look(to)?.is_some() {
        Err(ErrorKind::AlreadyExists.into())
    } else {
        // The name is the batch's own, so that nothing comes between.
        fs::rename(from, to)
    };
    publish::moved(from, to, renamed)
}

/// The name of a batch's input, where so many are taken.
fn name(claim: &Claim, taken: usize) -> PublicName {
    let own = PublicName::of(claim.name.batch);
    let own = if taken == 0 { own } else { PublicName::with_id(format!("{}-{taken}", claim.name.batch)) };
    own.compressed(claim.compression)
}

/// The batch whose input has this name; `None`: it is none that [`name`] gives.
fn batch(format: Format, name: &std::ffi::OsStr) -> Option<Uuid> {
    const LENGTH: usize = uuid::fmt::Hyphenated::LENGTH;
    let id = format.parse(name)?.id?;
    let (batch, rest) = id.split_at_checked(LENGTH)?;
    let is_ours = rest.is_empty() || rest.strip_prefix('-').is_some_and(|rest| rest.parse::<usize>().is_ok());
    let parsed: Uuid = batch.parse().ok()?;
    (is_ours && parsed.get_version_num() == 7 && parsed.to_string() == batch).then_some(parsed)
}

/// Whether a directory is one that may be made: below the data directory, by its path alone.
fn is_below(root: &Path, directory: &Path) -> bool {
    let below = directory.strip_prefix(root);
    below.is_ok_and(|below| {
        let mut parts = below.components().peekable();
        parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
    })
}

#[cfg(test)]
mod tests;
