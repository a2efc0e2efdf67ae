//! Fetches a data set over HTTP(S), cleans it, and puts it before the stages as CSV with a header: whole or not at all.
//!
//! The download goes on where it was cut off, as often as it takes within bounds, and is checked before any of it is
//! read. Then blank lines go, and the space around fields; rows that do not fit are set aside in `rejected/` with their
//! line numbers and the reason.
//!
//! It mends and guesses no value, keeps nothing of a download that failed, and does not know what it fetched before: a
//! run that is started again fetches again.
//!
//! - [`Config`], [`run`]: from the settings to the line that says what was done
//! - `source.rs` the URL, `client.rs` the HTTP client, `settings.rs` how values are read
//! - `fetch.rs` the attempts, `answer.rs` what an answer's head means, `spool.rs` what has come so far
//! - `content.rs` unpacking within bounds; the cleaning is [`records::clean`]
//! - `progress.rs`: what a terminal shows meanwhile

mod answer;
mod client;
mod content;
mod fetch;
mod prepare;
mod progress;
mod settings;
mod source;
mod spool;

use std::io::{self, Write as _};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use records::delimited::Names;
use service::settings::LogArgs;
use service::{Context, Settings};
use volume::Volume;

/// Fetches a data set, cleans it, and puts it on the volume as CSV
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "data-prep")]
pub struct Config {
    /// What to fetch, over http or https; gzip is unpacked
    // Not parsed by clap, which would repeat a password.
    #[arg(long, env, value_name = "URL")]
    pub url: String,

    /// The names of the columns, for data without a header row
    #[arg(long, env, value_name = "NAME,…", value_parser = settings::names)]
    pub names: Option<Names>,

    /// The name of the file to write; while another of that stem waits, it is `STEM-<id>.csv`
    #[arg(long, env, value_name = "STEM.csv", value_parser = settings::output)]
    pub output: &'static str,

    /// What the download's SHA-256 must be: that which `curl URL | sha256sum` shows
    #[arg(long, env, value_name = "HEX", value_parser = settings::sha256)]
    pub sha256: Option<String>,

    /// The most that it may have, before and after unpacking
    #[arg(long, env, value_name = "SIZE", default_value = "1GiB", value_parser = settings::bytes)]
    pub max_bytes: ByteSize,

    /// How long a connection may take, and each silence of the server
    #[arg(long, env, value_name = "DURATION", default_value = "30s", value_parser = settings::timeout)]
    pub timeout: Duration,

    /// So many attempts in a row may be in vain: come less than 1 MiB farther than any before
    #[arg(long, env, value_name = "NUMBER", default_value = "8")]
    pub attempts: NonZeroU32,

    /// Certificates (PEM) to trust besides the web's roots
    #[arg(long, env, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// The shared directory
    #[arg(long, env, value_name = "DIRECTORY", default_value = "/data")]
    pub data_dir: PathBuf,

    /// How diagnostics are written.
    #[command(flatten)]
    pub log: LogArgs,
}

impl Settings for Config {
    fn log(&self) -> &LogArgs {
        &self.log
    }
}

/// Fetches, cleans and publishes; prints one line that says so.
///
/// # Errors
/// A setting or the data directory cannot be used; the data set cannot be had or is not what was asked for; the volume
/// failed; [`service::Interrupted`] where a shutdown came first. Nothing is published.
pub async fn run(config: Config, context: Context) -> anyhow::Result<()> {
    let started = Instant::now();
    let source = source::Source::parse(&config.url)?;
    let volume = Volume::open(&config.data_dir)?;
    for fallback in volume.fallbacks() {
        tracing::info!("about the data directory: {fallback}");
    }
    context.health.ready();
    let done = prepare::prepare(&config, &source, &volume, &context.shutdown).await?;
    let elapsed = started.elapsed().as_secs_f64();
    let prepare::Done { name, bytes, counts } = done;
    let (rows, rejected) = (counts.ok, counts.rejected);
    // Nobody reads any more: the file is there all the same.
    let _ = writeln!(io::stdout(), "{name}: {bytes} bytes, {rows} rows, {rejected} rejected, {elapsed:.2} s");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, FromArgMatches};

    #[test]
    fn the_command_line_is_consistent() {
        Config::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_that_users_rely_on() {
        // Whatever the variables of whoever runs the tests.
        let command = Config::command().mut_args(|argument| argument.env(None::<&str>));
        let arguments = ["data-prep", "--url", "http://data.example/iris.data", "--output", "iris.csv"];
        let config = Config::from_arg_matches(&command.try_get_matches_from(arguments).unwrap()).unwrap();
        assert_eq!(config.names, None);
        assert_eq!(config.output, "iris");
        assert_eq!(config.sha256, None);
        assert_eq!(config.max_bytes, ByteSize::gib(1));
        assert_eq!((config.timeout, config.attempts.get()), (Duration::from_secs(30), 8));
        assert_eq!(config.data_dir, PathBuf::from("/data"));
    }
}
