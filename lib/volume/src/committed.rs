//! What follows the commit. Each step can be done again: recovery carries on where a dead owner stopped.

use std::io::{ErrorKind, Read as _};

use crate::claim::Claim;
use crate::claim_directory::OUTPUT;
use crate::compression::Compression;
use crate::error::{Context, Error};
use crate::links::{self, Standing};
use crate::names::PublicName;
use crate::{fs, publish};

/// A batch whose output is committed: it will not be converted or delivered again.
#[derive(Debug)]
pub struct Committed {
    pub(crate) claim: Claim,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The public name of the output; `None` where it was empty.
    pub name: Option<String>,
}

impl Committed {
    /// Deletes the input or archives it, publishes what was rejected and then the output, and removes the claim.
    ///
    /// # Errors
    /// The claim stays as far as it came, and whoever takes it over carries on.
    pub fn publish(self) -> Result<Published, Error> {
        let claim = self.claim;
        // Durable before the output gets its name: an input that came back would be converted twice.
        if put_away_input(&claim)? {
            claim.directory.sync()?;
        }
        let has_rejected = publish_rejected(&claim)?;
        let name = publish_output(&claim)?;
        if (has_rejected || name.is_some()) && !claim.volume.renames_as_one() {
            // Else what was published might be here again after a cut, though it was taken and deleted meanwhile.
            claim.directory.sync()?;
        }
        claim.directory.clear(&[])?;
        claim.remove();
        Ok(Published { name })
    }

    /// The id of the batch, and how many owners it has had.
    pub fn id(&self) -> String {
        self.claim.id()
    }
}

/// Deletes the input, or archives it; returns whether it was still there. Of owners who both think that they are the only
/// one, one succeeds: nobody else goes on.
fn put_away_input(claim: &Claim) -> Result<bool, Error> {
    if !claim.has_input {
        return Ok(false);
    }
    if let Some((archive, format)) = claim.volume.archive().zip(claim.spec.takes()) {
        archive.take(claim, format)?;
        return Ok(true);
    }
    let input = claim.input();
    match fs::unlink(&input) {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(claim.taken_over()),
        done => claim.directory.fenced(done.act("delete", &input)).map(|()| true),
    }
}

/// Durable before the output gets its name: without output the claim counts as done. Returns whether there is any.
fn publish_rejected(claim: &Claim) -> Result<bool, Error> {
    // What begins the chain refuses lines of what it makes.
    let Some(format) = claim.spec.takes().or(claim.spec.gives()) else { return Ok(false) };
    // Lines are as they are once a file is unpacked; one that was refused is as it came.
    let compression = if is_refused(claim)? { claim.compression } else { Compression::None };
    let name = format.file_name(&PublicName::of(claim.name.batch).compressed(compression));
    let mut published = None;
    // The reasons first: who sees the file finds them beside it.
    for (file, name) in [(compression.reasons(), format!("{name}.reasons")), (compression.rejected(), name)] {
        if claim.directory.has(file)? {
            let directory = claim.volume.rejected()?;
            let (from, to) = (claim.directory.join(file), directory.join(name));
            // To rename a file onto another name of its own does nothing.
            if links::is_same(&claim.volume, &from, &to) {
                claim.directory.unlink(file)?;
            } else {
                claim.directory.fenced(publish::rename(&from, &to).act("publish", &to))?;
            }
            published = Some(directory);
        }
    }
    if let Some(directory) = &published {
        fs::sync_directory(directory).act("sync directory", directory)?;
    }
    Ok(published.is_some())
}

/// Whether a compressed input was refused as it stands, and of that something is still in the claim.
fn is_refused(claim: &Claim) -> Result<bool, Error> {
    let (compression, directory) = (claim.compression, &claim.directory);
    Ok(compression != Compression::None
        && (directory.has(compression.rejected())? || directory.has(compression.reasons())?))
}

fn publish_output(claim: &Claim) -> Result<Option<String>, Error> {
    if !claim.directory.has(OUTPUT)? {
        claim.still_ours()?;
        return Ok(None);
    }
    match claim.spec.gives() {
        Some(format) if !is_empty(claim)? => {
            let output = claim.directory.join(OUTPUT);
            if links::standing(&claim.volume, &output, format)? == Standing::Void {
                claim.directory.make_void(OUTPUT)?;
                return Ok(None);
            }
            let published = publish::publish(&claim.volume, &output, format, claim.name.batch);
            claim.directory.fenced(published).map(Some)
        }
        _ => {
            claim.directory.unlink(OUTPUT)?;
            Ok(None)
        }
    }
}

/// Only what was read is deleted: a size may be remembered wrongly.
fn is_empty(claim: &Claim) -> Result<bool, Error> {
    let path = claim.directory.join(OUTPUT);
    let read = fs::open(&path).and_then(|mut output| output.read(&mut [0]));
    Ok(claim.directory.fenced(read.act("read", &path))? == 0)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::scanner::tests::take;
    use crate::{Commit, Spec, Taken, Volume};

    const SPEC: Spec = Spec { name: "test", stem: "listing", input: Some("txt"), output: Some("csv") };

    /// A network file system can say that a file is gone that is there.
    #[test]
    fn a_committed_output_that_cannot_be_seen_is_never_deleted() {
        let directory = tempfile::tempdir().unwrap();
        let volume = Volume::open(directory.path()).unwrap();
        std::fs::write(directory.path().join("listing.txt"), "x").unwrap();
        let Some(Taken::Ready(claim)) = take(&volume, SPEC) else { panic!("nothing taken") };
        let mut batch = claim.begin().unwrap();
        batch.output.write_all(b"done").unwrap();
        let Commit::Done(committed) = batch.commit().unwrap() else { panic!("nobody writes to it") };
        fs::HIDDEN.set(Some("output"));
        committed.publish().unwrap_err();
        let taken = take(&volume, SPEC);
        fs::HIDDEN.set(None);
        // Whoever reads the directory finds it all the same.
        assert!(matches!(taken, Some(Taken::Committed(_))), "{taken:?}");
        drop(taken);
        let Some(Taken::Committed(committed)) = take(&volume, SPEC) else { panic!("it is lost") };
        assert_eq!(committed.publish().unwrap().name.as_deref(), Some("listing.csv"));
        assert_eq!(std::fs::read(directory.path().join("listing.csv")).unwrap(), b"done");
    }
}
