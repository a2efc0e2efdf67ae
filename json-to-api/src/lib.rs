//! Delivers the documents of `listing.json` to an API: each is sent by POST, at least once, and none is lost.
//!
//! Its guarantees: a document is done only when the API has answered it with 2xx, or has refused it, and then it lies in
//! `rejected/` with the reason. Everything else is tried again, without end, with growing pauses, and never holds up the
//! other documents. What was answered is saved, so that after a kill at most what was in flight and 1,000 documents are
//! sent twice, with the same `Idempotency-Key`. Connections are short-lived, so that the load follows the API's pods.
//!
//! It refuses to judge documents (any JSON value is one), to follow redirects, to use proxies, and to send anything once
//! another worker has taken its batch over.
//!
//! Layout, from the outside in:
//! - `deliver.rs` a batch from its first line to its last; `keeper.rs` who watches over it; `board.rs` where all meet
//! - `crew.rs` a task of several senders; `sender.rs` who POSTs one document after the other
//! - `client.rs` the way to the API: `connection.rs` of either version, `http1.rs`, `http2.rs`, `stream.rs`, `resolver.rs`,
//!   `tls.rs`; `version.rs` which version is spoken
//! - `source.rs` reads the input, `ordinary.rs` knows most documents at a glance; `rejects.rs` copies from it what was refused
//! - `progress.rs` what is durable about a batch
//! - `print.rs` the blocks on standard output; `report.rs` what is said about failures; `metrics.rs`
//! - pure: `ledger.rs` which document is where, `ranges.rs`, `journal.rs` the saved form of both, `verdict.rs` what a
//!   status means, `backoff.rs`, `lifetime.rs` of connections, `deck.rs` of addresses, `target.rs` the URL, `headers.rs`,
//!   `request.rs` what is sent, `reply.rs` what HTTP/1.x answers, `alarm.rs` the time limit
//! - `any_bytes.rs` what holds for whatever others write, for tests and fuzz targets

mod alarm;
#[cfg(any(test, fuzzing))]
pub mod any_bytes;
mod backoff;
mod board;
mod client;
mod connection;
mod crew;
mod deck;
mod deliver;
mod headers;
mod http1;
mod http2;
mod journal;
mod keeper;
mod ledger;
mod lifetime;
mod metrics;
mod ordinary;
mod print;
mod progress;
mod ranges;
mod rejects;
mod reply;
mod report;
mod request;
mod resolver;
mod sender;
mod source;
mod stream;
mod target;
mod tls;
mod verdict;
mod version;

use std::fs::File;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use clap::ArgAction;
use clap::builder::BoolishValueParser;
use service::settings::{self, LogArgs};
use service::{Context, Settings, Shutdown};
use stage::{Spec, StageArgs};

use crate::client::Client;
use crate::deliver::Delivery;
use crate::headers::Headers;
use crate::metrics::Metrics;
use crate::print::Printer;
use crate::report::Report;
use crate::sender::Tools;
use crate::target::Target;
use crate::tls::Tls;

pub use crate::print::Output;
pub use crate::version::Http;

/// How long an output that nobody reads may hold up a shutdown.
const LAST_WORDS: Duration = Duration::from_secs(1);

const SPEC: Spec = Spec { name: "json-to-api", input: Some("json"), output: None };

/// POSTs every document of listing.json to an API, at least once.
#[derive(Clone, clap::Parser)]
#[command(name = "json-to-api", about)]
pub struct Config {
    /// What every stage is set up with.
    #[command(flatten)]
    pub stage: StageArgs,

    /// The URL to which each document is sent, by POST
    #[arg(long, env, default_value = "http://api", value_name = "URL")]
    pub api_url: String,

    /// How many documents are in flight; 1 keeps their order
    #[arg(long, env, default_value_t = 64, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub concurrency: u16,

    /// For one attempt
    #[arg(long, env, default_value = "10s", value_name = "DURATION", value_parser = timeout)]
    pub timeout: Duration,

    /// The version of HTTP to speak; `auto` tries HTTP/2 first (over TLS: ALPN), and goes over to HTTP/1.1
    #[arg(long, env, value_name = "VERSION", default_value = "auto", hide_possible_values = false)]
    pub http: Http,

    /// `Name: value` sent along, repeatable (one a line in HEADER); `@FILE` reads them from a file, again when it changes
    #[arg(
        long = "header",
        env = "HEADER",
        value_name = "HEADER",
        value_delimiter = '\n',
        hide_env_values = true
    )]
    pub headers: Vec<String>,

    /// Certificates (PEM) to trust besides the web's roots
    #[arg(long, env, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// Print a block per document delivered
    #[arg(
        long, env, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1,
        default_value_t = true, default_missing_value = "true", value_parser = BoolishValueParser::new(),
    )]
    pub log_docs: bool,

    /// The API's addresses, in place of those that the URL's host has: for who runs the API in the same process.
    #[arg(skip)]
    pub addresses: Option<Vec<SocketAddr>>,

    /// Where the blocks are printed, in place of standard output.
    #[arg(skip)]
    pub output: Option<Output>,
}

impl Settings for Config {
    fn log(&self) -> &LogArgs {
        &self.stage.log
    }

    fn admin(&self) -> Option<SocketAddr> {
        self.stage.admin_address()
    }

    fn check_health(&self) -> bool {
        self.stage.admin.check_health
    }
}

/// Delivers batches until the shutdown, or with `--once` until none is left.
///
/// # Errors
/// A setting or the data directory can't be used; with `--once` also that a batch failed.
pub async fn run(config: Config, context: Context) -> anyhow::Result<()> {
    let target = Target::parse(&config.api_url)?;
    let headers = Headers::read(&config.headers)?;
    let tls = trust(&config, &target)?;
    let metrics = Metrics::register(&context.metrics)?;
    let report = Report::new(target.to_string(), context.health.clone());
    let senders = config.concurrency;
    let connections = (senders, crew::crews(senders));
    let client = Client::new(target, tls, config.addresses, config.http, connections, config.timeout);
    let printer = config.log_docs.then(|| {
        let output = config.output.map_or_else(standard_output, Ok)?;
        Printer::start(output).context("failed to start the thread that prints")
    });
    let tools = Arc::new(Tools { client: Arc::new(client), metrics, report, printer: printer.transpose()? });
    let delivery = Delivery { tools: Arc::clone(&tools), headers, concurrency: config.concurrency };
    let shutdown = context.shutdown.clone();
    let outcome = stage::run(SPEC, config.stage, delivery, context).await;
    if let Some(printer) = &tools.printer {
        tokio::select! {
            () = printer.flush() => {}
            () = over(&shutdown) => {}
        }
    }
    outcome
}

/// Standard output without a buffer of its own: what could not be written must be known.
fn standard_output() -> anyhow::Result<Output> {
    let copy = std::io::stdout().as_fd().try_clone_to_owned().context("failed to open standard output")?;
    Ok(Arc::new(Mutex::new(File::from(copy))))
}

fn trust(config: &Config, target: &Target) -> anyhow::Result<Option<Tls>> {
    if target.tls {
        return Ok(Some(Tls::new(&target.host, config.ca_file.as_deref(), config.http)?));
    }
    // A wrong file is an error all the same.
    config.ca_file.as_deref().map(tls::check).transpose()?;
    Ok(None)
}

/// Waits until a shutdown was requested and whoever reads the output has had time to do so.
async fn over(shutdown: &Shutdown) {
    shutdown.requested().await;
    tokio::time::sleep(LAST_WORDS).await;
}

fn timeout(text: &str) -> Result<Duration, String> {
    let timeout = settings::duration(text)?;
    if timeout.is_zero() { Err("no attempt could succeed in no time".to_owned()) } else { Ok(timeout) }
}
