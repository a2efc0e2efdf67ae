use std::io::{self, IsTerminal};

use anyhow::{Context as _, anyhow};
use tracing_subscriber::EnvFilter;

use crate::settings::{LogArgs, LogFormat};

/// Sends diagnostics to standard error from now on.
pub(crate) fn start(log: &LogArgs) -> anyhow::Result<()> {
    let filter = EnvFilter::builder()
        .parse(&log.rust_log)
        .with_context(|| format!("failed to read `--rust-log {}`", log.rust_log))?;
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal() && !no_color)
        // Else a line that cannot be written is reported with `eprintln!`, which panics where standard error is closed.
        .log_internal_errors(false);
    let started = match log.log_format {
        LogFormat::Text => subscriber.try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow!(error).context("failed to start telemetry"))
}
