//! One listing, from the walk to its name on the volume.

use std::num::NonZero;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use service::{BatchDone, Context};
use volume::{Draft, Spec, Volume};

use crate::Config;
use crate::walk::{Error, Identity, Tally, Walk};

const SPEC: Spec = Spec { name: "getdata", input: None, output: Some("txt") };

/// The extension of [`SPEC`]'s output.
const EXTENSION: &str = "txt";

/// More threads than that wait for the kernel's locks, not for their turn.
const MOST_THREADS: usize = 16;

/// What came of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    Published {
        name: String,
        tally: Tally,
        elapsed: Duration,
    },
    /// So many files wait already.
    Backlog(usize),
    /// It was told to stop.
    Stopped,
}

/// Walks and publishes; blocks as long as that takes.
///
/// # Errors
/// The root cannot be read, or the volume failed. Nothing is published.
pub(crate) fn write(config: &Config, volume: &Volume, stop: &AtomicBool) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    recover(volume)?;
    let waiting = volume.waiting(EXTENSION)?;
    if waiting >= config.max_backlog.get() {
        return Ok(Outcome::Backlog(waiting));
    }
    let root = volume.root();
    let left_out = Identity::of_path(root)
        .with_context(|| format!("failed to look at the data directory `{}`", root.display()))?;
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
    let walk = Walk { root: &config.root, left_out: Some(left_out), threads, stop };

    let mut draft = volume.begin_draft(SPEC)?;
    match walk.list(draft.output()) {
        Ok(tally) => {
            // The root has a line: there is something to publish.
            let name = draft.publish()?.unwrap_or_default();
            Ok(Outcome::Published { name, tally, elapsed: started.elapsed() })
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
    pub(crate) fn report(self, context: &Context) {
        match self {
            Outcome::Published { name, tally, elapsed } => published(name, &tally, elapsed, context),
            Outcome::Backlog(waiting) => {
                tracing::warn!(waiting, "no listing is written: as many wait as --max-backlog allows");
            }
            Outcome::Stopped => tracing::info!("gave up an unfinished listing, to shut down in time"),
        }
    }
}

fn published(name: String, tally: &Tally, elapsed: Duration, context: &Context) {
    let Tally { entries, unreadable, ref example } = *tally;
    tracing::info!(%name, entries, unreadable, ?elapsed, "published");
    if let Some(example) = example {
        tracing::warn!(unreadable, "some could not be read, among them {example}");
    }
    if let Some(batches) = &context.batches {
        // Nobody listens any more: so be it.
        let _ = batches.send(BatchDone {
            stage: SPEC.name,
            from: None,
            to: Some(name),
            ok: entries,
            rejected: unreadable,
            elapsed,
        });
    }
}
