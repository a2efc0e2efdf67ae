//! A page that shows the flow, live: what waits where, how fast it moves, and what is in its way.
//!
//! It looks at the volume, where it makes, locks and moves nothing, and asks the pods' admin ports, once an interval; what
//! it knows is one snapshot of bounded size, sent to each open page by server-sent events. Memory grows with the number
//! of pods, of which it asks [`MAX_PODS`] of a program at most, and with nothing else.
//!
//! It refuses to keep a history beyond the last 300 samples, to alert, and to do anything about what it shows: only with
//! `--allow-actions` may rejected files be read, downloaded and sent again.
//!
//! - `settings.rs`: [`Config`]
//! - `flow.rs`: the programs in their order; `sample.rs`: volume and pods, once an interval; `pods.rs`: their admin ports
//! - `numbers.rs`: what a pod says of itself; `recent.rs`: what json-to-api says of documents
//! - `rates.rs`: what follows from two readings, and a window of them; `watched.rs`: what is
//!   known from sample to sample; `snapshot.rs`: what a page is told
//! - `app.rs`: the routes; `events.rs`: the stream; `rejected.rs`: what is done with rejected files; `guard.rs`: for whom
//! - `page/`: the page itself, embedded; nothing of it comes from elsewhere

mod app;
mod events;
mod flow;
mod guard;
mod numbers;
mod pods;
mod rates;
mod recent;
mod rejected;
mod sample;
mod settings;
mod snapshot;
mod watched;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use service::{Context, Limits, Server};
use tokio::net::TcpListener;
use tokio::sync::watch;
use volume::{View, Volume};

pub use crate::pods::MAX_PODS;
pub use crate::settings::{Config, Target};

use crate::app::App;
use crate::events::Events;
use crate::pods::Pods;
use crate::rejected::Rejected;
use crate::sample::Sampler;

/// A few people, each with a page or two.
const LIMITS: Limits = Limits {
    connections: 256,
    requests: 256,
    idle: Duration::from_secs(30),
    request: Duration::from_secs(30),
};

/// A program in this process, in place of pods.
pub struct Local {
    /// The program.
    pub program: &'static str,
    /// What this replica of it is called.
    pub replica: String,
    /// Where it reports.
    pub context: Context,
}

/// Serves the page until the shutdown.
///
/// # Errors
/// The address or the data directory cannot be used: names the setting.
pub async fn run(config: Config, context: Context) -> anyhow::Result<()> {
    let listener = service::bind("--listen", config.listen).await?;
    run_within(config, context, listener, Vec::new()).await
}

/// As [`run`], on a listener, and with programs of this process besides the pods of `config`.
///
/// # Errors
/// As [`run`].
pub async fn run_within(
    config: Config,
    context: Context,
    listener: TcpListener,
    locals: Vec<Local>,
) -> anyhow::Result<()> {
    let address = listener.local_addr().context("failed to ask for the listener's address")?;
    let directory = config.data_dir.display();
    ensure!(config.data_dir.is_dir(), "data directory `{directory}` (--data-dir) is not a directory");
    // What moves files must know that it can.
    let volume = config.allow_actions.then(|| Volume::open(&config.data_dir)).transpose()?;
    let view = View::new(&config.data_dir);
    let (snapshots, latest) = watch::channel(Arc::from("{}"));
    let pods = Pods::new(config.metrics, locals, config.timeout)?;
    let sampler =
        Sampler::new(view.clone(), pods, config.stem, config.interval, volume.is_some(), &context.metrics)?;
    let app = App {
        events: Events::new(latest, &context)?,
        rejected: Arc::new(Rejected::new(view, volume, config.stem)),
        is_local: address.ip().is_loopback(),
    };
    tracing::info!(%address, "listening");
    context.health.ready();
    let server = Server::new(LIMITS);
    let served = server.serve(listener, app.router(), context.shutdown.requested(), &context.shutdown);
    until(served, sampler.run(snapshots)).await;
    Ok(())
}

/// Runs `beside` as long as `main` takes.
async fn until(main: impl Future<Output = ()>, beside: impl Future<Output = ()>) {
    tokio::select! {
        () = main => {}
        () = beside => unreachable!("samples are taken without end"),
    }
}
