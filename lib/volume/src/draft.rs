//! A claim without input: how a file that begins the chain is written and published, with the lines that were refused.

use std::fs::File;
use std::time::Duration;

use crate::Spec;
use crate::claim::Claim;
use crate::claim_directory::{INPUT, OUTPUT};
use crate::committed::Committed;
use crate::error::{Context, Error};
use crate::fs::NewFile;
use crate::names::ClaimName;
use crate::output::Output;
use crate::rejected::RejectFiles;
use crate::take_over::{self, Owner, TakenOver};
use crate::volume::Volume;

/// A draft without lock that is older was left by a power cut.
const LOCKLESS_AGE: Duration = Duration::from_secs(60);

/// A file in the making. Dropping it leaves it for [`Volume::recover_drafts`].
#[derive(Debug)]
pub struct Draft {
    /// Where to write, in large blocks: it is not buffered.
    pub output: Output,
    /// What is refused, in the format of the output.
    pub rejected: RejectFiles,
    claim: Claim,
}

/// What was found of drafts whose owners died.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The names of those that were finished, and are published now.
    pub published: Vec<String>,
    /// How many were unfinished, and are deleted now.
    pub deleted: usize,
}

impl Volume {
    /// Begins a file that will be published with the extension of `spec.output`.
    ///
    /// # Errors
    /// The volume failed.
    pub fn begin_draft(&self, spec: Spec) -> Result<Draft, Error> {
        let claim = Claim::create(self, spec)?;
        let output = Output::new(claim.directory.join(&claim.own(OUTPUT)));
        let rejected = RejectFiles::new(&claim);
        Ok(Draft { output, rejected, claim })
    }

    /// Publishes the finished drafts of dead owners, and deletes the unfinished ones.
    ///
    /// # Errors
    /// The volume failed; what is left is found again.
    pub fn recover_drafts(&self, spec: Spec) -> Result<Recovered, Error> {
        let mut recovered = Recovered::default();
        for name in take_over::all(self, spec)? {
            // One that cannot be recovered keeps nobody from listing anew.
            if let Err(error) = recover(self, spec, name, &mut recovered) {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(draft = %name, error, "left for the next time");
            }
        }
        Ok(recovered)
    }
}

fn recover(volume: &Volume, spec: Spec, name: ClaimName, recovered: &mut Recovered) -> Result<(), Error> {
    // It has no lock while it is being made or removed, which takes no time.
    let is_new = name.age().is_none_or(|age| age < LOCKLESS_AGE);
    if take_over::owner(volume, spec, name)? == Owner::NoLock && is_new {
        return Ok(());
    }
    match Claim::take_over(volume, spec, name)? {
        None => {}
        // What was refused counts with the output alone: its owner makes both anew.
        Some(TakenOver::Committed(committed)) if committed.claim.directory.has(OUTPUT)? => {
            recovered.published.extend(committed.publish()?.name);
        }
        Some(
            TakenOver::Committed(Committed { claim })
            | TakenOver::Uncommitted(claim)
            | TakenOver::Leftover(claim),
        ) => {
            recovered.deleted += usize::from(claim.directory.clear(&[])?);
            claim.remove();
        }
    }
    Ok(())
}

impl Draft {
    /// Makes an empty file to write and to read: for what the output is made of. It is deleted with the draft, also by
    /// whoever finds that after a crash. There is one.
    ///
    /// # Errors
    /// The volume failed.
    pub fn create_input(&self) -> Result<File, Error> {
        let path = self.claim.directory.join(&self.claim.own(INPUT));
        let created = NewFile::create(&path).act("create", &path);
        Ok(self.claim.directory.fenced(created)?.into_file())
    }

    /// Makes the file and what was refused durable and publishes them; returns the file's name, `None` where nothing was
    /// written.
    ///
    /// # Errors
    /// Nothing is published, or the next [`Volume::recover_drafts`] publishes it.
    pub fn publish(self) -> Result<Option<String>, Error> {
        let Draft { mut claim, output, rejected } = self;
        let has_rejected = claim.directory.fenced(rejected.name(&claim))?;
        claim.directory.fenced(output.finish())?;
        if has_rejected {
            // The commit must not outlive a power cut that undoes what it rests on.
            claim.sync()?;
        }
        claim.commit()?;
        Ok(Committed { claim }.publish()?.name)
    }

    /// Deletes what was written.
    ///
    /// # Errors
    /// The next [`Volume::recover_drafts`] deletes it.
    pub fn discard(self) -> Result<(), Error> {
        let Draft { claim, output, rejected } = self;
        // They may write what they hold: that must go, too.
        drop((output, rejected));
        claim.directory.clear(&[])?;
        claim.remove();
        Ok(())
    }
}
