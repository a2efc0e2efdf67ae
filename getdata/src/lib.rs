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
//! - `walk.rs`: the entries
//! - `format.rs`: an entry's line; `date.rs`, `owners.rs`, `escape.rs`: its columns

mod date;
mod escape;
mod format;
mod listing;
mod owners;
mod walk;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use service::settings::{self, LogArgs};
use service::{Context, Interrupted, Settings, Shutdown};
use stage::Observer;
use tokio::time::{MissedTickBehavior, interval, sleep_until};
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

/// A walk looks at each entry whether it is to stop: this long is waited for it to delete what it wrote.
const STOPPING: Duration = Duration::from_secs(1);

impl Settings for Config {
    fn log(&self) -> &LogArgs {
        &self.log
    }
}

fn every(text: &str) -> Result<Duration, String> {
    match settings::duration(text)? {
        Duration::ZERO => Err("an interval must be longer than nothing".to_owned()),
        every => Ok(every),
    }
}

/// Writes one listing, or one at each interval until shutdown is requested.
///
/// A listing under way at that request is finished where there is time for it, else given up.
///
/// # Errors
/// The data directory cannot be used. Without `--every`, also: the root cannot be read, the volume failed, or
/// [`Interrupted`], where the shutdown came before there was a listing.
pub async fn run(config: Config, context: Context) -> anyhow::Result<()> {
    run_observed(config, context, None).await
}

/// The same; tells `observer` of each listing published.
///
/// # Errors
/// As [`run`].
pub async fn run_observed(
    config: Config,
    context: Context,
    observer: Option<Observer>,
) -> anyhow::Result<()> {
    let volume = Volume::open(&config.data_dir)?;
    for fallback in volume.fallbacks() {
        tracing::info!("about the data directory: {fallback}");
    }
    context.health.ready();
    let list = || list(&config, &volume, &context.shutdown, observer.as_ref());
    let Some(every) = config.every else {
        return match list().await? {
            Outcome::Stopped => Err(Interrupted.into()),
            Outcome::Published { .. } | Outcome::Backlog(_) => Ok(()),
        };
    };
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            () = context.shutdown.requested() => return Ok(()),
            _ = ticks.tick() => {}
        }
        if let Err(error) = list().await {
            tracing::error!("no listing this time: {error:#}");
        }
    }
}

/// Writes one listing, unless the shutdown was requested before, and says what came of it.
async fn list(
    config: &Config,
    volume: &Volume,
    shutdown: &Shutdown,
    observer: Option<&Observer>,
) -> anyhow::Result<Outcome> {
    if shutdown.is_requested() {
        return Ok(Outcome::Stopped);
    }
    let listing = tokio::task::spawn_blocking({
        let (config, volume, shutdown) = (config.clone(), volume.clone(), shutdown.clone());
        move || listing::write(&config, &volume, &|| shutdown.grace_is_over())
    });
    let outcome = tokio::select! {
        outcome = listing => outcome.context("the walk panicked")??,
        // A call to a file system that does not answer; the next getdata deletes what was written.
        () = too_late(shutdown) => Outcome::Stopped,
    };
    outcome.report(observer);
    Ok(outcome)
}

async fn too_late(shutdown: &Shutdown) {
    shutdown.requested().await;
    if let Some(deadline) = shutdown.deadline() {
        sleep_until((deadline + STOPPING).into()).await;
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
        assert_eq!(every("100000years"), settings::duration("100000years"));
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
        for _ in 0..2 {
            let context = Context::new(Shutdown::new());
            run_observed(config.clone(), context, Some(batches.clone())).await.unwrap();
        }
        drop(batches);

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
        assert_eq!(volume.waiting(listing::SPEC).unwrap(), 0);
    }

    #[tokio::test]
    async fn one_listing_that_was_stopped_before_it_was_there_is_no_success() {
        let place = tempfile::TempDir::new().unwrap();
        let config = config(&place);
        let shutdown = Shutdown::new();
        shutdown.request();
        let volume = Volume::open(&config.data_dir).unwrap();
        let error = run(config, Context::new(shutdown)).await.unwrap_err();
        assert!(error.is::<Interrupted>(), "{error:?}");
        assert_eq!(volume.waiting(listing::SPEC).unwrap(), 0);
    }

    #[test]
    fn a_listing_that_is_to_stop_leaves_nothing_behind() {
        let place = tempfile::TempDir::new().unwrap();
        let config = config(&place);
        let volume = Volume::open(&config.data_dir).unwrap();
        let outcome = listing::write(&config, &volume, &|| true).unwrap();
        assert!(matches!(outcome, Outcome::Stopped));
        assert_eq!(volume.waiting(listing::SPEC).unwrap(), 0);
        let mut claims = std::fs::read_dir(config.data_dir.join(".pipe/1/getdata")).unwrap();
        assert!(claims.next().is_none());
    }
}
