//! Delivers the documents of `listing.json` to an API: each is sent by POST, at least once, and none is lost.
//!
//! Its guarantees: a document is done only when the API has answered it with 2xx, or has refused it, and then it lies in
//! `rejected/` with the reason. Everything else is tried again, without end, with growing pauses, and never holds up the
//! other documents; where nothing but such is left of a batch, other batches have their turn. What was answered is saved, so
//! that after a kill at most what was in flight and 1,000 documents are sent twice, with the same `Idempotency-Key`.
//! Connections are short-lived, so that the load follows the API's pods.
//!
//! It refuses to judge documents (any JSON value is one), to follow redirects, to use proxies, and to send anything once
//! another worker has taken its batch over. HTTP and TLS are reqwest's.
//!
//! A document's way: `reader.rs` reads it, `deliver.rs` hands it out and owns all that is known of the batch,
//! `senders.rs` passes it to a thread, `clients.rs` has those threads and their clients, `post.rs` POSTs it, `print.rs` prints its block, `save.rs` and `progress.rs`
//! make durable that it is done.
//!
//! Beside it:
//! - `work.rs` what is known of a batch, also while it rests; `rejects.rs` copies from the input what was refused
//! - `address_pool.rs`, `target.rs` the URL, `headers.rs` the user's: how the api is reached
//! - `report.rs` what is said about failures; `metrics.rs`
//! - pure: `document.rs` the types, `journal.rs` the saved form, `verdict.rs` what a status means, `lifetime.rs`
//!   of connections
//! - `any_bytes.rs` what holds for whatever others write, for tests and fuzz targets

mod address_pool;
#[cfg(any(test, fuzzing))]
pub mod any_bytes;
mod clients;
mod deliver;
mod document;
mod headers;
mod journal;
mod lifetime;
mod metrics;
mod post;
mod print;
mod progress;
mod reader;
mod rejects;
mod report;
mod save;
mod senders;
mod target;
mod verdict;
mod work;

use std::fs::File;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, ValueEnum};
use http_client::tls;
use service::{Context, settings};
use stage::{Observer, Spec};

use crate::address_pool::Resolver;
use crate::clients::{Clients, Setup};
use crate::deliver::{Delivery, Tools};
use crate::headers::Headers;
use crate::metrics::Metrics;
use crate::print::Printer;
use crate::report::Report;

pub use crate::print::Output;

const SPEC: Spec = Spec { name: "json-to-api", stem: "listing", input: Some("json"), output: None };

/// All settings of json-to-api.
pub type Config = stage::Config<Options>;

/// The settings that json-to-api has besides those of every stage.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// The URL to which each document is sent, by POST
    #[arg(long, env, default_value = "http://api", value_name = "URL")]
    pub api_url: String,

    /// How many documents are in flight; 1 keeps their order
    #[arg(long, env, default_value_t = 64, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub concurrency: u16,

    /// For one attempt
    #[arg(long, env, default_value = "10s", value_name = "DURATION", value_parser = timeout)]
    pub timeout: Duration,

    /// The version of HTTP; without TLS an API must be known to speak version 2
    #[arg(long, env, value_name = "VERSION", value_enum, default_value_t)]
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

    /// Where traces are sent: one document in so many has a span and a `traceparent`; 0: none has
    #[arg(long, env, default_value_t = 1000, value_name = "NUMBER")]
    pub trace_documents: u32,
}

impl Default for Options {
    /// What clap makes of an empty command line and environment.
    fn default() -> Self {
        Options {
            api_url: "http://api".to_owned(),
            concurrency: 64,
            timeout: Duration::from_secs(10),
            http: Http::default(),
            headers: Vec::new(),
            ca_file: None,
            log_docs: true,
            trace_documents: 1000,
        }
    }
}

/// A version of HTTP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Http {
    /// HTTP/1.1
    #[default]
    #[value(name = "1")]
    One,
    /// HTTP/2: by prior knowledge, or agreed on over TLS
    #[value(name = "2")]
    Two,
}

impl Http {
    /// Its name in ALPN (RFC 7301 and RFC 9113, section 3.2).
    fn protocol(self) -> &'static [u8] {
        match self {
            Http::One => b"http/1.1",
            Http::Two => b"h2",
        }
    }
}

/// What json-to-api works with, where it is not alone in its process.
#[derive(Default)]
pub struct Surroundings {
    /// The API's addresses, ports and all, in place of those that the URL's host has.
    pub addresses: Option<Vec<SocketAddr>>,
    /// Where the blocks are printed, in place of standard output.
    pub output: Option<Output>,
    /// Who hears of every batch.
    pub observer: Option<Observer>,
}

/// Delivers batches until the shutdown, or with `--once` until none is left.
///
/// # Errors
/// A setting or the data directory can't be used; with `--once` also that a batch failed.
pub async fn run(config: Config, context: Context) -> anyhow::Result<()> {
    run_within(config, context, Surroundings::default()).await
}

/// As [`run`], within surroundings.
///
/// # Errors
/// As [`run`].
pub async fn run_within(config: Config, context: Context, surroundings: Surroundings) -> anyhow::Result<()> {
    let Config { stage, own: options } = config;
    let url = target::parse(&options.api_url)?;
    let setup = Setup {
        http: options.http,
        timeout: options.timeout,
        resolver: Resolver::new(surroundings.addresses),
        tls: tls::config(options.ca_file.as_deref(), options.http.protocol())?,
    };
    let printer = options.log_docs.then(|| {
        let output = surroundings.output.map_or_else(standard_output, Ok)?;
        Printer::start(output).context("failed to start the thread that prints")
    });
    let printer = printer.transpose()?.map(Arc::new);
    let tools = Tools {
        report: Report::new(target::shown(&url), context.health.clone()),
        url,
        clients: Clients::start(setup, options.concurrency).context("failed to set up HTTP clients")?,
        headers: Headers::read(&options.headers)?,
        concurrency: options.concurrency,
        timeout: options.timeout,
        metrics: Arc::new(Metrics::register(&context.metrics)?),
        printer: printer.clone(),
        trace_documents: NonZeroU32::new(options.trace_documents),
    };
    let outcome = stage::run(SPEC, stage, Delivery::new(tools), context, surroundings.observer).await;
    if let Some(printer) = printer {
        printer.flush_if_read().await;
    }
    outcome
}

/// Standard output without a buffer of its own: what could not be written must be known.
fn standard_output() -> anyhow::Result<Output> {
    let copy = std::io::stdout().as_fd().try_clone_to_owned().context("failed to open standard output")?;
    Ok(Arc::new(Mutex::new(File::from(copy))))
}

fn timeout(text: &str) -> Result<Duration, String> {
    let timeout = settings::duration(text)?;
    if timeout.is_zero() { Err("no attempt could succeed in no time".to_owned()) } else { Ok(timeout) }
}
