//! The start of the chain: lists every entry below a directory into `listing.txt`, a line each, as `busybox ls -ld` prints
//! it, with dates in UTC.
//!
//! Links are never followed, and the data directory is left out. What cannot be read, or is gone before it is looked at,
//! is counted, not fatal. With as many listings waiting as `--max-backlog` allows, none is written.
//!
//! It does not say which listing differs from which, reads no file's content, and knows nothing of the stages that
//! follow: it only puts files before them.
//!
//! - [`Config`], [`run`]: once, or again and again
//! - `listing.rs`: one listing, from the walk to its name on the volume
//! - `walk.rs` and below: the entries, by several threads, in one order
//! - `format.rs`: an entry's line; `date.rs`, `names.rs`, `escape.rs`: its columns

mod date;
mod escape;
mod format;
mod listing;
mod names;
mod walk;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use service::settings::{self, LogArgs};
use service::{Context, Settings, Shutdown};
use tokio::time::{MissedTickBehavior, interval, sleep_until, timeout};
use volume::Volume;

use listing::Outcome;

/// Lists every entry below a directory into `listing.txt`, as `ls -l` does
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "getdata")]
pub struct Config {
    /// The directory to list; links are not followed
    #[arg(long, env, value_name = "DIRECTORY", default_value = "/")]
    pub root: PathBuf,

    /// Repeat at this interval (`500ms`, `2s`, `1m`) instead of exiting
    #[arg(long, env, value_name = "DURATION", value_parser = every)]
    pub every: Option<Duration>,

    /// With so many `listing*.txt` waiting, write none and say so
    #[arg(long, env, value_name = "FILES", default_value_t = DEFAULT_MAX_BACKLOG)]
    pub max_backlog: NonZeroUsize,

    /// The shared directory; left out of the listing
    #[arg(long, env, value_name = "DIRECTORY", default_value = "/data")]
    pub data_dir: PathBuf,

    /// How diagnostics are written.
    #[command(flatten)]
    pub log: LogArgs,
}

/// An hour of listings, one a minute.
pub const DEFAULT_MAX_BACKLOG: NonZeroUsize = NonZeroUsize::new(60).expect("60 is not 0");

/// Clocks count no further than some centuries.
const LONGEST_INTERVAL: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A walk looks often whether it is to stop: this long is waited for it to delete what it wrote.
const STOPPING: Duration = Duration::from_secs(1);

impl Settings for Config {
    fn log(&self) -> &LogArgs {
        &self.log
    }

    /// The listing has a thread of its own.
    fn threads(&self) -> usize {
        1
    }
}

fn every(text: &str) -> Result<Duration, String> {
    match settings::duration(text)? {
        Duration::ZERO => Err("an interval must be longer than nothing".to_owned()),
        every => Ok(every.min(LONGEST_INTERVAL)),
    }
}

/// Writes one listing, or one at each interval until shutdown is requested.
///
/// A listing under way at that request is finished where that takes less than [`Shutdown::GRACE`], else given up.
///
/// # Errors
/// The data directory cannot be used. Without `--every`, also: the root cannot be read, or the volume failed.
pub async fn run(config: Config, context: Context) -> anyhow::Result<()> {
    let volume = Volume::open(&config.data_dir)?;
    for fallback in volume.fallbacks() {
        tracing::info!("about the data directory: {fallback}");
    }
    context.health.ready();
    let Some(every) = config.every else {
        return list(&config, &volume, &context).await;
    };
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            () = context.shutdown.requested() => return Ok(()),
            _ = ticks.tick() => {}
        }
        if let Err(error) = list(&config, &volume, &context).await {
            tracing::error!("no listing this time: {error:#}");
        }
    }
}

/// Writes one listing.
async fn list(config: &Config, volume: &Volume, context: &Context) -> anyhow::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut listing = tokio::task::spawn_blocking({
        let (config, volume, stop) = (config.clone(), volume.clone(), Arc::clone(&stop));
        move || listing::write(&config, &volume, &stop)
    });
    let outcome = tokio::select! {
        outcome = &mut listing => outcome,
        () = grace_is_over(&context.shutdown) => {
            stop.store(true, Ordering::Relaxed);
            match timeout(STOPPING, listing).await {
                Ok(outcome) => outcome,
                // A call to a file system that does not answer; the next getdata deletes what was written.
                Err(_) => Ok(Ok(Outcome::Stopped)),
            }
        }
    };
    outcome.context("the walk panicked")??.report(context);
    Ok(())
}

async fn grace_is_over(shutdown: &Shutdown) {
    shutdown.requested().await;
    if let Some(deadline) = shutdown.deadline() {
        sleep_until(deadline.into()).await;
    }
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
        let config = Config::from_arg_matches(&command.try_get_matches_from(["getdata"]).unwrap()).unwrap();
        assert_eq!(config.root, PathBuf::from("/"));
        assert_eq!(config.every, None);
        assert_eq!(config.max_backlog.get(), 60);
        assert_eq!(config.data_dir, PathBuf::from("/data"));
    }

    #[test]
    fn an_interval_is_some_time_and_no_more_than_clocks_can_count() {
        assert_eq!(every("1m"), Ok(Duration::from_secs(60)));
        assert_eq!(every("100000years"), Ok(LONGEST_INTERVAL));
        assert!(every("0s").is_err());
        assert!(every("soon").is_err());
    }

    fn config(place: &tempfile::TempDir) -> Config {
        let directory = |name: &str| {
            let path = place.path().join(name);
            std::fs::create_dir(&path).unwrap();
            path
        };
        Config {
            root: directory("root"),
            every: None,
            max_backlog: DEFAULT_MAX_BACKLOG,
            data_dir: directory("data"),
            log: LogArgs::default(),
        }
    }

    #[tokio::test]
    async fn whoever_sums_up_is_told_of_each_listing() {
        let place = tempfile::TempDir::new().unwrap();
        let config = config(&place);
        std::fs::create_dir(config.root.join("directory")).unwrap();
        let (batches, mut told) = tokio::sync::mpsc::unbounded_channel();
        let context = Context { batches: Some(batches), ..Context::new(Shutdown::new()) };
        run(config.clone(), context.clone()).await.unwrap();
        run(config, context).await.unwrap();

        let first = told.recv().await.unwrap();
        assert_eq!((first.stage, first.from, first.to.as_deref()), ("getdata", None, Some("listing.txt")));
        assert_eq!((first.ok, first.rejected), (2, 0));
        assert!(told.recv().await.unwrap().to.unwrap().starts_with("listing-"));
        assert!(told.recv().await.is_none());
    }

    #[tokio::test]
    async fn nothing_is_begun_after_shutdown_was_requested() {
        let place = tempfile::TempDir::new().unwrap();
        let config = Config { every: Some(Duration::from_millis(1)), ..config(&place) };
        let shutdown = Shutdown::new();
        shutdown.request();
        let volume = Volume::open(&config.data_dir).unwrap();
        run(config, Context::new(shutdown)).await.unwrap();
        assert_eq!(volume.waiting("txt").unwrap(), 0);
    }

    #[test]
    fn a_listing_that_is_to_stop_leaves_nothing_behind() {
        let place = tempfile::TempDir::new().unwrap();
        let config = config(&place);
        let volume = Volume::open(&config.data_dir).unwrap();
        let outcome = listing::write(&config, &volume, &AtomicBool::new(true)).unwrap();
        assert!(matches!(outcome, Outcome::Stopped));
        assert_eq!(volume.waiting("txt").unwrap(), 0);
        let mut claims = std::fs::read_dir(config.data_dir.join(".pipe/1/getdata")).unwrap();
        assert!(claims.next().is_none());
    }
}
