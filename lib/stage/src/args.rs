//! The settings that the three stages share.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgAction;
use clap::builder::BoolishValueParser;
use service::Settings;
use service::settings::{self, AdminArgs, LogArgs};
use traces::TraceArgs;

const DATA_DIR: &str = "/data";

/// The settings of a stage.
#[derive(Debug, Clone, clap::Args)]
pub struct StageArgs {
    /// The directory that the stages share
    #[arg(long, env, default_value = DATA_DIR, value_name = "DIRECTORY")]
    pub data_dir: PathBuf,

    /// What the names of its files begin with: it takes `NAME.<ext>` and `NAME-<id>.<ext>` alone
    #[arg(long, env, default_value = volume::DEFAULT_STEM, value_name = "NAME", value_parser = volume::stem)]
    pub stem: &'static str,

    /// Drain what is there, then exit; files that others still write or hold are left
    #[arg(
        long, env, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1,
        default_value_t = false, default_missing_value = "true", value_parser = BoolishValueParser::new(),
    )]
    pub once: bool,

    /// How often the directory is looked through in case no file event came
    #[arg(long, env, value_name = "DURATION", value_parser = interval, default_value = "2s")]
    pub rescan_interval: Duration,

    /// How long a file must stand still where the system cannot tell whether it is still written
    #[arg(long, env, default_value = "5s", value_name = "DURATION", value_parser = settings::duration)]
    pub settle: Duration,

    /// The admin port
    #[command(flatten)]
    pub admin: AdminArgs,

    /// Diagnostics
    #[command(flatten)]
    pub log: LogArgs,

    /// Traces
    #[command(flatten)]
    pub trace: TraceArgs,
}

/// An interval of nothing would keep a core busy with looking.
fn interval(text: &str) -> Result<Duration, String> {
    let interval = settings::duration(text)?;
    if interval < Duration::from_millis(1) { Err("it must be 1ms or more".to_owned()) } else { Ok(interval) }
}

impl Default for StageArgs {
    /// What clap makes of an empty command line and environment.
    fn default() -> Self {
        StageArgs {
            data_dir: DATA_DIR.into(),
            stem: volume::DEFAULT_STEM,
            once: false,
            rescan_interval: Duration::from_secs(2),
            settle: Duration::from_secs(5),
            admin: AdminArgs::default(),
            log: LogArgs::default(),
            trace: TraceArgs::default(),
        }
    }
}

/// All settings of a stage: those that every stage has, and its own.
#[derive(Debug, Clone, Default, clap::Parser)]
pub struct Config<O: clap::Args = NoOptions> {
    #[expect(missing_docs, reason = "clap would show it as the program's description")]
    #[command(flatten)]
    pub stage: StageArgs,
    #[expect(missing_docs, reason = "clap would show it as the program's description")]
    #[command(flatten)]
    pub own: O,
}

/// The own settings of a stage that has none.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct NoOptions {}

impl<O: clap::Args + Send + 'static> Settings for Config<O> {
    fn log(&self) -> &LogArgs {
        &self.stage.log
    }

    /// With `--once` there is an admin port only where it is given.
    fn admin(&self) -> Option<SocketAddr> {
        let AdminArgs { admin_listen, .. } = self.stage.admin;
        if self.stage.once { admin_listen } else { Some(self.stage.admin.or_default()) }
    }

    fn check_health(&self) -> bool {
        self.stage.admin.check_health
    }
}
