//! Settings that several programs share.
//!
//! Every setting is a flag and an environment variable of the same name.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::{ArgAction, ValueEnum};

use crate::telemetry;

/// Every program's settings.
pub trait Settings: clap::Parser + Send + 'static {
    /// How diagnostics are written.
    fn log(&self) -> &LogArgs;

    /// Where the admin port listens; none: there is no admin port.
    fn admin(&self) -> Option<SocketAddr> {
        None
    }

    /// Set: ask the own admin port and exit.
    fn check_health(&self) -> bool {
        false
    }
}

/// The admin port's address where no other is given.
pub const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9090);

const DEFAULT_FILTER: &str = "info";

/// How diagnostics are written.
#[derive(Debug, Clone, clap::Args)]
pub struct LogArgs {
    /// Which diagnostics are written: a level (error, warn, info, debug, trace, off), or filters such as
    /// `info,hyper=debug`
    #[arg(long, env, value_name = "FILTER", default_value = DEFAULT_FILTER, value_parser = filter)]
    pub rust_log: String,

    /// How diagnostics are written: for people or, a line of JSON each, for machines
    #[arg(long, env, value_name = "FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
}

impl Default for LogArgs {
    fn default() -> Self {
        Self { rust_log: DEFAULT_FILTER.to_owned(), log_format: LogFormat::default() }
    }
}

/// What a line of diagnostics looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// The admin port.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct AdminArgs {
    /// Where /healthz, /readyz and /metrics are served
    ///
    /// [default: 0.0.0.0:9090; none with --once]
    // Not clap's default: with `--once` the port is opened only where it is asked for.
    #[arg(long, env, value_name = "ADDRESS")]
    pub admin_listen: Option<SocketAddr>,

    /// Ask the own admin port how the program does that runs with these settings, and exit with 0 (healthy) or 1
    #[arg(long, env, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false)]
    pub check_health: bool,
}

impl AdminArgs {
    /// The address given, else [`DEFAULT_ADMIN`].
    pub fn or_default(&self) -> SocketAddr {
        self.admin_listen.unwrap_or(DEFAULT_ADMIN)
    }
}

/// The longest duration that is told from for ever: a point in time so far ahead can still be computed with.
pub const MAX_DURATION: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Reads a duration: `500ms`, `2s`, `1m`, `1h 30m`; [`MAX_DURATION`] where it is longer.
///
/// # Errors
/// Why it cannot be read.
pub fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) => Ok(duration.min(MAX_DURATION)),
        Err(humantime::DurationError::NumberOverflow) => Ok(MAX_DURATION),
        Err(error) => Err(error.to_string()),
    }
}

fn filter(text: &str) -> Result<String, String> {
    telemetry::filter(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("1m"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5400)));
        for wrong in ["", "2", "-1s", "s", "1 fortnight"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_without_end_are_clamped_to_what_can_be_added_to_a_time() {
        for endless in ["500000000000years", "99999999999999999999s", "2years"] {
            assert_eq!(duration(endless), Ok(MAX_DURATION), "{endless}");
        }
        assert!(std::time::Instant::now().checked_add(MAX_DURATION).is_some());
    }
}
