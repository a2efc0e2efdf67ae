//! The settings: flags, and environment variables of the same names.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use service::Settings;
use service::settings::{self, LogArgs};

use crate::report::Format;
use crate::source::Sources;

/// Makes a report of any tables, in five stages
///
/// Without a command it runs all of them. A command runs one, where the one before has left in --temp-dir what it needs.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "data-pipeline")]
pub struct Config {
    /// The stage to run alone.
    #[command(subcommand)]
    pub stage: Option<Stage>,

    /// A number of simulated sources, or a comma-separated list of files, globs and http(s) addresses: CSV with a header,
    /// JSON lines or Parquet
    #[arg(
        long, env, global = true, value_name = "SOURCES", default_value = "3", hide_env_values = true,
        value_parser = SourcesParser
    )]
    pub data_sources: Sources,

    /// Where reports and rejected records go
    #[arg(long, env, global = true, value_name = "DIRECTORY", default_value = "/tmp/reports")]
    pub output_dir: PathBuf,

    /// Where work in progress lies
    #[arg(long, env, global = true, value_name = "DIRECTORY", default_value = "/tmp/pipeline")]
    pub temp_dir: PathBuf,

    /// json, text, html, or several separated by commas
    #[arg(long, env, global = true, value_name = "FORMATS", default_value = "json")]
    pub report_format: Formats,

    /// Rules that records must obey, in TOML
    #[arg(long, env, global = true, value_name = "FILE")]
    pub rules_file: Option<PathBuf>,

    /// How many records of a source may be rejected: a share (`5%`) or a number
    #[arg(long, env, global = true, value_name = "LIMIT", default_value = "5%")]
    pub max_rejected: MaxRejected,

    /// The column by whose values the report groups the records
    #[arg(long, env, global = true, value_name = "COLUMN")]
    pub group_by: Option<String>,

    /// What simulated sources are drawn from
    #[arg(long, env, global = true, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,

    /// How long a source over the network may be silent before it is tried again
    #[arg(long, env, global = true, value_name = "DURATION", default_value = "30s", value_parser = settings::duration)]
    pub source_timeout: Duration,

    /// How many bytes a source over the network may have
    #[arg(long, env, global = true, value_name = "BYTES", default_value_t = 16 << 30)]
    pub max_source_bytes: u64,

    /// Certificates (PEM) to trust besides the web's roots, for sources over https
    #[arg(long, env, global = true, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// How diagnostics are written.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Reads sources, and repeats none of them in its message: addresses may hold credentials.
#[derive(Clone)]
struct SourcesParser;

impl TypedValueParser for SourcesParser {
    type Value = Sources;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Sources, clap::Error> {
        let sources = value.to_str().ok_or_else(|| "it is not UTF-8".to_owned()).and_then(str::parse);
        sources.map_err(|error| {
            let message = format!("invalid value for '--data-sources <SOURCES>': {error}");
            command.clone().error(ErrorKind::ValueValidation, message)
        })
    }
}

impl Settings for Config {
    fn log(&self) -> &LogArgs {
        &self.log
    }
}

/// A stage of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Subcommand)]
pub enum Stage {
    /// Fetches the sources
    Extract,
    /// Reads and validates their records
    Transform,
    /// Computes what the report says
    Aggregate,
    /// Writes the report
    Report,
    /// Removes what the stages left
    Cleanup,
}

impl Stage {
    /// All, in their order.
    pub(crate) const ALL: [Self; 5] =
        [Self::Extract, Self::Transform, Self::Aggregate, Self::Report, Self::Cleanup];

    /// Its command.
    pub(crate) fn command(self) -> &'static str {
        match self {
            Self::Extract => "extract",
            Self::Transform => "transform",
            Self::Aggregate => "aggregate",
            Self::Report => "report",
            Self::Cleanup => "cleanup",
        }
    }

    /// Its heading.
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Extract => "Stage 1: Data Extraction",
            Self::Transform => "Stage 2: Data Transformation",
            Self::Aggregate => "Stage 3: Data Aggregation",
            Self::Report => "Stage 4: Report Generation",
            Self::Cleanup => "Stage 5: Cleanup",
        }
    }

    /// What completes or fails.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Extract => "Extraction",
            Self::Transform => "Transformation",
            Self::Aggregate => "Aggregation",
            Self::Report => "Report",
            Self::Cleanup => "Cleanup",
        }
    }
}

/// The report's formats, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formats(pub Vec<Format>);

impl FromStr for Formats {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Format::parse_list(text).map(Self).map_err(|error| error.to_string())
    }
}

/// How many records of a source may be rejected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxRejected {
    /// In percent.
    Share(f64),
    /// Records.
    Number(u64),
}

impl MaxRejected {
    /// Whether so many are too many.
    pub(crate) fn is_exceeded(self, rejected: u64, read: u64) -> bool {
        match self {
            // Of 10 records, half a one is 5 %; the product is exact below 2^53 / 100 records.
            Self::Share(percent) => rejected as f64 * 100.0 > percent * read as f64,
            Self::Number(number) => rejected > number,
        }
    }
}

impl FromStr for MaxRejected {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "neither a share from 0% to 100% nor a number of records".to_owned();
        let Some(percent) = text.strip_suffix('%') else {
            return text.parse().map(Self::Number).map_err(|_| wrong());
        };
        let percent: f64 = percent.trim().parse().map_err(|_| wrong())?;
        if (0.0..=100.0).contains(&percent) { Ok(Self::Share(percent)) } else { Err(wrong()) }
    }
}

impl fmt::Display for MaxRejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(percent) => write!(f, "{percent}%"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::*;

    fn config(arguments: &[&str]) -> Result<Config, clap::Error> {
        // Whatever the variables of whoever runs the tests.
        let command = Config::command().mut_args(|argument| argument.env(None::<&str>));
        Config::from_arg_matches(&command.try_get_matches_from([&["data-pipeline"], arguments].concat())?)
    }

    #[test]
    fn the_command_line_is_consistent() {
        Config::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_that_users_rely_on() {
        let config = config(&[]).unwrap();
        assert_eq!(config.stage, None);
        assert_eq!(config.data_sources.0.len(), 3);
        assert_eq!(config.output_dir, PathBuf::from("/tmp/reports"));
        assert_eq!(config.temp_dir, PathBuf::from("/tmp/pipeline"));
        assert_eq!(config.report_format.0, [Format::Json]);
        assert_eq!(config.max_rejected, MaxRejected::Share(5.0));
    }

    #[test]
    fn a_setting_may_stand_before_or_behind_the_stage() {
        for arguments in [["--seed", "7", "transform"], ["transform", "--seed", "7"]] {
            let config = config(&arguments).unwrap();
            assert_eq!((config.stage, config.seed), (Some(Stage::Transform), 7));
        }
    }

    #[test]
    fn rejected_records_are_limited_by_share_or_by_number() {
        let limit = |text: &str| text.parse::<MaxRejected>();
        assert!(!limit("5%").unwrap().is_exceeded(5, 100));
        assert!(limit("5%").unwrap().is_exceeded(6, 100));
        assert!(limit("0%").unwrap().is_exceeded(1, 1_000_000));
        assert!(!limit("0%").unwrap().is_exceeded(0, 0));
        assert!(!limit("7").unwrap().is_exceeded(7, 7));
        assert!(limit("7").unwrap().is_exceeded(8, 1000));
        for wrong in ["", "-1", "101%", "NaN%", "five", "5 %%"] {
            assert!(limit(wrong).is_err(), "{wrong}");
        }
    }
}
