//! The loop that the three stages share: watch, scan, claim, process, commit, publish.
//!
//! A stage brings its [`Spec`], its settings and a [`Process`]; [`run`] does the rest until the
//! shutdown, or with `--once` until the directory is drained. It decides when to look and what to do with
//! errors. How files change hands is the `volume` crate's affair, what is made of them the stage's.
//!
//! The scan is the truth; events of the file system only wake it early, and spare it some reading.
//!
//! Layout: `args.rs` settings; `worker.rs` the loop; `watch.rs` what
//! wakes it; `process.rs` what a stage brings; `turn.rs` what it may ask meanwhile; `input.rs` what it reads, unpacked by
//! `decode.rs`; `convert.rs` the two converters' share of it; `metrics.rs`, `oldest.rs`, `gauges.rs` what is measured;
//! `trace.rs` the spans.

mod args;
mod convert;
mod decode;
mod gauges;
mod input;
mod metrics;
mod oldest;
mod process;
mod trace;
mod turn;
mod watch;
mod worker;

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use anyhow::Context as _;
use service::Context;
use tokio::sync::mpsc::UnboundedSender;
use traces::Traces;
use tracing::warn;
use volume::Volume;

pub use args::{Config, NoOptions, StageArgs};
pub use convert::{Converter, ToFiles};
pub use decode::Undecodable;
pub use input::Input;
pub use process::{Outcome, Process, ProcessError};
pub use turn::Turn;
pub use volume::Spec;

use crate::metrics::Metrics;
use crate::watch::Watch;
use crate::worker::Worker;

/// Hears of every batch published: the local runner, which sums them up.
pub type Observer = UnboundedSender<BatchDone>;

/// One batch published.
#[derive(Debug, Clone)]
pub struct BatchDone {
    /// The stage that did it.
    pub stage: &'static str,
    /// The name under which the input lay; none for the stage that has no input.
    pub from: Option<String>,
    /// The name of what was published, if anything was.
    pub to: Option<String>,
    /// Records converted or delivered.
    pub ok: u64,
    /// Records put into `rejected/`.
    pub rejected: u64,
    /// From the claim to the publication.
    pub elapsed: Duration,
}

/// Runs a stage until the shutdown, or with `--once` until nothing is left that it can take.
///
/// The stem of its files is the settings'.
///
/// `process` is called on a thread of its own within the caller's runtime.
///
/// # Errors
/// The data directory can't be used; with `--once` also that a batch failed, or [`service::Interrupted`]. Without it,
/// failures are reported and tried again.
pub async fn run(
    spec: Spec,
    args: StageArgs,
    process: impl Process,
    context: Context,
    observer: Option<Observer>,
) -> anyhow::Result<()> {
    let spec = Spec { stem: args.stem, ..spec };
    let volume = Volume::open(&args.data_dir)?;
    if let Some(archive) = &args.archive {
        volume.archive_inputs(archive, args.archive_keep)?;
    }
    for fallback in volume.fallbacks() {
        warn!(directory = %args.data_dir.display(), "the volume lacks something: {fallback}");
    }
    // One wake-up that waits is as good as many.
    let (wake, woken) = sync_channel(1);
    // Before the first scan: a file that appears between the two is seen by either.
    let watch = Watch::start(&volume, spec, wake.clone())
        .inspect_err(|error| warn!(%error, "no file events: files are found by --rescan-interval only"));
    let shutdown = context.shutdown.clone();
    tokio::spawn(async move {
        shutdown.requested().await;
        // A wake-up that waits already is enough.
        let _ = wake.try_send(());
    });
    let metrics = Metrics::register(&context.metrics, spec.name)?;
    gauges::watch(volume.clone(), spec, metrics.inbox(), &context.metrics).await?;
    let traces = Traces::start(&args.trace, spec.name).await?;
    let worker =
        Worker::new(spec, &args, volume, process, woken, metrics, &context, observer, traces.clone());
    context.health.ready();
    let outcome = tokio::task::spawn_blocking(move || worker.run()).await;
    drop(watch);
    if let Some(traces) = traces {
        traces.stop(context.shutdown.remaining()).await;
    }
    outcome.context("the stage's loop died")?
}
