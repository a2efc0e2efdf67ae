//! One listing, from the walk to its name on the volume.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use stage::{BatchDone, Observer};
use volume::{Draft, Spec, Volume};

use crate::Config;
use crate::walk::{Error, Identity, Statistics, Walk};

pub(crate) const SPEC: Spec = Spec { name: "getdata", stem: "listing", input: None, output: Some("txt") };

/// What came of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    Published {
        name: String,
        statistics: Statistics,
        elapsed: Duration,
    },
    /// So many files wait already.
    Backlog(usize),
    /// It was told to stop.
    Stopped,
}

/// Walks and publishes; blocks as long as that takes, or until it is to stop.
///
/// # Errors
/// The root cannot be read, or the volume failed. Nothing is published.
pub(crate) fn write(
    config: &Config,
    volume: &Volume,
    is_to_stop: &dyn Fn() -> bool,
) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    recover(volume)?;
    let waiting = volume.waiting(SPEC)?;
    if waiting >= config.max_backlog.get() {
        return Ok(Outcome::Backlog(waiting));
    }
    let root = volume.root();
    let left_out = Identity::of_path(root)
        .with_context(|| format!("failed to look at the data directory `{}`", root.display()))?;

    let mut draft = volume.begin_draft(SPEC)?;
    match (Walk { root: &config.root, left_out, is_to_stop }).list(&mut draft.output) {
        Ok(statistics) => {
            // The root has a line: there is something to publish.
            let name = draft.publish()?.unwrap_or_default();
            Ok(Outcome::Published { name, statistics, elapsed: started.elapsed() })
        }
        Err(error) => {
            discard(draft);
            match error {
                Error::Stopped => Ok(Outcome::Stopped),
                error => Err(error.into()),
            }
        }
    }
}

/// Cleans up what a getdata left that died.
fn recover(volume: &Volume) -> anyhow::Result<()> {
    let recovered = volume.recover_drafts(SPEC)?;
    for name in recovered.published {
        tracing::info!(%name, "published what an earlier run had finished");
    }
    if recovered.deleted > 0 {
        tracing::info!(deleted = recovered.deleted, "deleted what earlier runs left unfinished");
    }
    Ok(())
}

fn discard(draft: Draft) {
    if let Err(error) = draft.discard() {
        let error = anyhow::Error::new(error);
        tracing::warn!("an unfinished listing is left for the next run to delete: {error:#}");
    }
}

impl Outcome {
    /// Tells people, and who else wants to know.
    pub(crate) fn report(&self, observer: Option<&Observer>) {
        let (name, statistics, elapsed) = match self {
            Outcome::Published { name, statistics, elapsed } => (name, statistics, *elapsed),
            Outcome::Backlog(waiting) => {
                tracing::warn!(waiting, "no listing is written: as many wait as --max-backlog allows");
                return;
            }
            Outcome::Stopped => {
                tracing::info!("gave up an unfinished listing, to shut down in time");
                return;
            }
        };
        let Statistics { entries, unreadable, ref example } = *statistics;
        tracing::info!(%name, entries, unreadable, ?elapsed, "published");
        if let Some(example) = example {
            tracing::warn!(unreadable, "some could not be read, among them {example}");
        }
        if let Some(observer) = observer {
            let (stage, to) = (SPEC.name, Some(name.clone()));
            // Nobody listens any more: so be it.
            let _ = observer.send(BatchDone {
                stage,
                from: None,
                to,
                ok: entries,
                rejected: unreadable,
                elapsed,
            });
        }
    }
}
