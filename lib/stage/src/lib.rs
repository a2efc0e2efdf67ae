//! The loop that the three stages share: watch, scan, claim, process, commit, hand on.
//!
//! A stage brings its [`Spec`], its settings and a [`Process`]; [`run`] does the rest until the
//! shutdown, or with `--once` until the directory is drained. It decides when to look and what to do with
//! errors. How files change hands is the `volume` crate's affair, what is made of them the stage's.
//!
//! The scan is the truth; events of the file system only wake it early, and spare it some reading.
//!
//! Layout: `args.rs` settings; `worker.rs` the loop; `wake.rs` what it sleeps on; `process.rs` what a stage brings; `convert.rs` the two converters' share of it; `pulse.rs`
//! liveness and shutdown for whoever is at work; `metrics.rs`.

mod args;
mod convert;
mod metrics;
mod process;
mod pulse;
mod wake;
mod worker;

use anyhow::Context as _;
use service::Context;
use tracing::warn;
use volume::Volume;

pub use args::StageArgs;
pub use convert::Converter;
pub use process::{Process, ProcessError};
pub use pulse::Pulse;
pub use volume::Spec;

use crate::metrics::Metrics;
use crate::wake::Wake;
use crate::worker::Worker;

/// Runs a stage until the shutdown, or with `--once` until nothing is left that it can take.
///
/// `process` is called on a thread of its own within the caller's runtime.
///
/// # Errors
/// The data directory can't be used; with `--once` also that a batch failed. Without it, failures are
/// reported and tried again.
pub async fn run(spec: Spec, args: StageArgs, process: impl Process, context: Context) -> anyhow::Result<()> {
    let volume = Volume::open(&args.data_dir)?;
    for fallback in volume.fallbacks() {
        warn!(directory = %args.data_dir.display(), "the volume lacks something: {fallback}");
    }
    let wake = Wake::new().context("failed to make what the stage's loop sleeps on")?;
    context.shutdown.on_request({
        let wake = wake.clone();
        move || wake.wake()
    });
    // Before the first scan: a file that appears between the two is seen by either.
    if let Err(error) = volume.watch(spec) {
        warn!(%error, "no file events: files are found by --rescan-interval only");
    }
    let metrics = Metrics::register(&context.metrics, spec.name)?;
    let worker = Worker::new(spec, &args, volume, process, wake, metrics, &context);
    context.health.ready();
    tokio::task::spawn_blocking(move || worker.run()).await.context("the stage's loop died")?
}
