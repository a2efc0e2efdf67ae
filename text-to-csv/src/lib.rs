//! Turns `listing.txt`, lines of `ls -l`, into `listing.csv`.
//!
//! It reads what busybox and GNU coreutils print, and rejects a line that it cannot read without doubt. It
//! refuses to judge what a line says: no path is looked up, no mode or date checked beyond its form.
//!
//! Layout: `convert.rs` the conversion, a function from a reader to a writer; `ordinary.rs` its short way for
//! ordinary lines. The format itself is `records::listing`'s, all that concerns files `stage`'s.

mod convert;
mod ordinary;

use std::net::SocketAddr;

use service::settings::LogArgs;
use service::{Context, Settings};
use stage::{Converter, Spec, StageArgs};

pub use convert::convert;

const SPEC: Spec = Spec { name: "text-to-csv", input: Some("txt"), output: Some("csv") };

/// Turns listing.txt, lines of ls -l, into listing.csv.
#[derive(Debug, Clone, Default, clap::Parser)]
#[command(name = "text-to-csv", about)]
pub struct Config {
    /// What every stage is set up with.
    #[command(flatten)]
    pub stage: StageArgs,
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

    /// The conversion has a thread of its own; the admin port is all that is left.
    fn threads(&self) -> usize {
        1
    }
}

/// Converts batches until the shutdown, or with `--once` until none is left.
///
/// # Errors
/// The data directory can't be used; with `--once` also that a batch failed.
pub async fn run(config: Config, context: Context) -> anyhow::Result<()> {
    stage::run(SPEC, config.stage, Converter(convert), context).await
}
