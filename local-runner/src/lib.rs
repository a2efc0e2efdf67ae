//! The whole chain on one machine, without Docker or a cluster.
//!
//! It runs the services' own library code, wired as the manifests wire it: getdata, the three stages
//! over one directory, and several replicas of the api on loopback ports, named `api-1`, `api-2`, …. It
//! prints what `kubectl logs` on json-to-api would show, and a line that sums up each batch.
//!
//! Where it goes on, it has the dashboard besides, and prints its address. It opens no admin ports, and adds nothing to what the services do.
//!
//! Layout: `chain.rs` getdata and the stages; `replicas.rs` the api; `page.rs` the dashboard; `summary.rs` the line per batch;
//! `directory.rs` the data directory; `terminal.rs` standard output and the progress bar.

mod chain;
mod directory;
mod page;
mod replicas;
mod summary;
mod terminal;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::ArgAction;
use clap::builder::BoolishValueParser;
use service::settings::{self, LogArgs};
use service::{Context, Settings};
use tokio::sync::mpsc;

use crate::chain::{Chain, Contexts};
use crate::directory::Directory;
use crate::page::Page;
use crate::replicas::Replicas;
use crate::terminal::Terminal;

const FREE_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Runs the whole chain on this machine: lists a directory, and delivers every entry to a replicated api
#[derive(Debug, Clone, clap::Parser)]
// The services' own lines would drown what they deliver.
#[command(name = "k8s-pipe", mut_arg("rust_log", |arg| arg.default_value("warn")))]
pub struct Config {
    /// The directory to list
    #[arg(long, env, default_value = "/etc", value_name = "DIRECTORY")]
    pub root: PathBuf,

    /// How often it is listed
    #[arg(long, env, default_value = "1m", value_name = "DURATION", value_parser = settings::duration)]
    pub every: Duration,

    /// One batch, then exit
    #[arg(
        long, env, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1,
        default_value_t = false, default_missing_value = "true", value_parser = BoolishValueParser::new(),
    )]
    pub once: bool,

    /// How many replicas of the api to run
    #[arg(long, env, default_value_t = 3, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=100))]
    pub api_replicas: u16,

    /// The directory that the stages share [default: a fresh one, printed]
    #[arg(long, env, value_name = "DIRECTORY")]
    pub data_dir: Option<PathBuf>,

    /// Where the dashboard is, but for --once; with port 0 at a free one, printed
    #[arg(long, env, default_value_t = FREE_PORT, value_name = "ADDRESS")]
    pub dashboard_listen: SocketAddr,

    /// Let whoever sees the dashboard read rejected files, download them, and send them again
    #[arg(
        long, env, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1,
        default_value_t = false, default_missing_value = "true", value_parser = BoolishValueParser::new(),
    )]
    pub allow_actions: bool,

    /// Diagnostics
    #[command(flatten)]
    pub log: LogArgs,
}

impl Settings for Config {
    fn log(&self) -> &LogArgs {
        &self.log
    }
}

/// Runs the chain until the shutdown, or with `--once` until one batch is delivered.
///
/// # Errors
/// The first service that failed.
pub async fn run(config: Config, context: Context) -> anyhow::Result<()> {
    let directory = Directory::open(config.data_dir.as_deref())?;
    let replicas = Replicas::start(config.api_replicas).await?;
    let contexts = Contexts::new(&context.shutdown);
    let page = if config.once {
        None
    } else {
        Some(Page::open(&config, directory.path(), &contexts, &replicas, &context.shutdown).await?)
    };
    let terminal = Terminal::new();
    let (batches, done) = mpsc::unbounded_channel();
    let summaries = tokio::spawn(summary::print_each(done, replicas.counts(), terminal.clone()));
    let chain = Chain {
        root: config.root,
        data_dir: directory.path().to_owned(),
        api: replicas.addresses(),
        output: terminal.output(),
        contexts,
        batches,
    };
    let result = if config.once { chain.run_once().await } else { chain.run_every(config.every).await };
    // The chain is gone, so that no more batches come.
    summaries.await.context("the summaries ended early")?;
    // Last, so that what was in flight got its answer.
    replicas.stop().await;
    if let Some(page) = page {
        page.close().await;
    }
    directory.close();
    result
}
