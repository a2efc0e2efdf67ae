//! A claim without input: how a file that begins the chain is written and published.

use std::time::Duration;

use crate::Spec;
use crate::claim::Claim;
use crate::claim_directory::OUTPUT;
use crate::committed::Committed;
use crate::error::Error;
use crate::names::ClaimName;
use crate::output::Output;
use crate::take_over::{self, Owner, TakenOver};
use crate::volume::Volume;

/// A draft without lock that is older was left by a power cut.
const LOCKLESS_AGE: Duration = Duration::from_secs(60);

/// A file in the making. Dropping it leaves it for [`Volume::recover_drafts`].
#[derive(Debug)]
pub struct Draft {
    claim: Claim,
    output: Output,
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
        Ok(Draft { claim, output })
    }

    /// Publishes the finished drafts of dead owners, and deletes the unfinished ones.
    ///
    /// # Errors
    /// The volume failed; what is left is found again.
    pub fn recover_drafts(&self, spec: Spec) -> Result<Recovered, Error> {
        let mut recovered = Recovered::default();
        for name in take_over::all(self, spec.name)? {
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
    if take_over::owner(volume, spec.name, name)? == Owner::NoLock && is_new {
        return Ok(());
    }
    match Claim::take_over(volume, spec, name)? {
        None => {}
        Some(TakenOver::Committed(committed)) => recovered.published.extend(committed.publish()?.name),
        Some(TakenOver::Uncommitted(claim) | TakenOver::Leftover(claim)) => {
            recovered.deleted += usize::from(claim.directory.clear(&[])?);
            claim.remove();
        }
    }
    Ok(())
}

impl Draft {
    /// Where to write, in large blocks: it is not buffered.
    pub fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    /// Makes the file durable and publishes it; returns its name, `None` where nothing was written.
    ///
    /// # Errors
    /// Nothing is published, or the next [`Volume::recover_drafts`] publishes it.
    pub fn publish(self) -> Result<Option<String>, Error> {
        let Draft { mut claim, output } = self;
        claim.directory.fenced(output.finish())?;
        claim.commit()?;
        Ok(Committed { claim }.publish()?.name)
    }

    /// Deletes what was written.
    ///
    /// # Errors
    /// The next [`Volume::recover_drafts`] deletes it.
    pub fn discard(self) -> Result<(), Error> {
        self.claim.directory.clear(&[])?;
        self.claim.remove();
        Ok(())
    }
}
