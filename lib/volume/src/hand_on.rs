//! What follows the commit. Each step can be done again: recovery carries on where a dead owner stopped.

use crate::claim::{Claim, INPUT, OUTPUT, REASONS, REJECTED};
use crate::error::{Context, Error};
use crate::names::PublicName;
use crate::{fs, publish};

/// A batch whose output is committed: it will not be converted or delivered again.
#[derive(Debug)]
pub struct Committed {
    pub(crate) claim: Claim,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedOn {
    /// The public name of the output; `None` where it was empty.
    pub published: Option<String>,
}

impl Committed {
    /// Deletes the input, publishes what was rejected and then the output, and removes the claim.
    ///
    /// # Errors
    /// The claim stays as far as it came, and whoever takes it over carries on.
    pub fn hand_on(self) -> Result<HandedOn, Error> {
        let claim = self.claim;
        // Durable before the output gets its name: an input that came back would be converted twice.
        if claim.has(INPUT)? {
            claim.unlink(INPUT)?;
            claim.sync()?;
        }
        publish_rejected(&claim)?;
        let published = publish_output(&claim)?;
        claim.clear(&[])?;
        claim.remove();
        Ok(HandedOn { published })
    }

    /// The id of the batch, and how many owners it has had.
    pub fn id(&self) -> String {
        self.claim.id()
    }
}

/// Durable before the output gets its name: without output the claim counts as done.
fn publish_rejected(claim: &Claim) -> Result<(), Error> {
    let name = PublicName(Some(claim.name.batch.to_string())).file_name(claim.spec.input.unwrap_or_default());
    let directory = claim.volume.rejected();
    let mut any = false;
    // The reasons first: who sees the file finds them beside it.
    for (file, name) in [(REASONS, format!("{name}.reasons")), (REJECTED, name)] {
        if claim.has(file)? {
            let (from, to) = (claim.path(file), directory.join(name));
            claim.fenced(publish::rename(&from, &to).act("publish", &to))?;
            any = true;
        }
    }
    if any {
        fs::sync_directory(&directory).act("sync directory", &directory)?;
    }
    Ok(())
}

fn publish_output(claim: &Claim) -> Result<Option<String>, Error> {
    let output = claim.path(OUTPUT);
    let Some(metadata) = fs::look(&output).act("look at", &output)? else {
        claim.still_ours()?;
        return Ok(None);
    };
    match claim.spec.output {
        Some(extension) if metadata.len() > 0 => {
            let published = publish::publish(&claim.volume, &output, extension, claim.name.batch);
            claim.fenced(published).map(Some)
        }
        _ => {
            claim.unlink(OUTPUT)?;
            Ok(None)
        }
    }
}
