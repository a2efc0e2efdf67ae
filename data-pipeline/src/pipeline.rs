//! The order of the stages, what is said of them, and what follows where one fails or is told to stop.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;
use service::{Context, Interrupted, Shutdown};
use tokio::runtime::{self, Runtime};

use crate::config::{Config, Stage};
use crate::console::Console;
use crate::run_directory::{Left, RunDirectory, State};
use crate::summary::StageTime;
use crate::{aggregate, extract, publish, staged, transform};

/// How long what is under way may take to let go, once a run was told to stop.
const LETTING_GO: Duration = Duration::from_secs(5);

/// What every stage works with.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) config: Arc<Config>,
    pub(crate) directory: Arc<RunDirectory>,
    pub(crate) console: Console,
    pub(crate) shutdown: Shutdown,
}

/// Why a stage failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The number and the name of the source that it is about, if it is about one.
    source: Option<(usize, String)>,
    cause: anyhow::Error,
}

impl Failure {
    pub(crate) fn of_source(number: usize, name: &str, cause: anyhow::Error) -> Self {
        Self { source: Some((number, name.to_owned())), cause }
    }
}

/// Why a stage failed: one cause, or one for each source.
#[derive(Debug)]
pub(crate) struct Failures(pub(crate) Vec<Failure>);

impl From<anyhow::Error> for Failures {
    fn from(cause: anyhow::Error) -> Self {
        Self(vec![Failure { source: None, cause }])
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((number, name)) = &self.source {
            write!(f, "source {number} ({name}): ")?;
        }
        write!(f, "{:#}", self.cause)
    }
}

/// Runs all stages, or the one that the settings name.
///
/// # Errors
/// A stage failed, another run is at work, or [`Interrupted`]. What failed and why was printed before.
pub async fn run(config: Config, context: Context) -> anyhow::Result<()> {
    let directory = RunDirectory::open(&config.temp_dir)?;
    let stage = config.stage;
    let run = Run {
        config: Arc::new(config),
        directory: Arc::new(directory),
        console: Console::default(),
        shutdown: context.shutdown,
    };
    match stage {
        None => all(&run).await,
        Some(Stage::Cleanup) => cleanup(&run),
        Some(stage) => {
            // What the stages before left stays for another attempt, unless it all begins anew.
            let state = if stage == Stage::Extract { None } else { run.directory.state()? };
            forget_killed(&run, state.as_ref())?;
            one(&run, stage).await
        }
    }
}

async fn all(run: &Run) -> anyhow::Result<()> {
    run.console
        .line(format_args!("[{}] Starting data pipeline...", Timestamp::now().strftime("%Y-%m-%d %H:%M:%S")));
    forget_killed(run, None)?;
    let mut outcome = Ok(());
    for stage in Stage::ALL.into_iter().filter(|stage| *stage != Stage::Cleanup) {
        outcome = one(run, stage).await;
        run.console.line("");
        if outcome.is_err() {
            break;
        }
    }
    let cleaned = cleanup(run);
    run.console.line("");
    let outcome = outcome.and(cleaned);
    run.console.line(match &outcome {
        Ok(()) => "Pipeline completed successfully!",
        Err(error) if error.is::<Interrupted>() => "Pipeline stopped.",
        Err(_) => "Pipeline failed.",
    });
    outcome
}

/// Removes what runs left that were killed.
fn forget_killed(run: &Run, state: Option<&State>) -> anyhow::Result<()> {
    let removed = run.directory.keep(state)?;
    if removed > 0 {
        tracing::info!("removed {removed} files of a run that did not end");
    }
    let output = &run.config.output_dir;
    if let Err(error) = staged::remove_orphans(output) {
        // Whoever writes there fails with it, if it lasts.
        tracing::warn!(%error, "failed to clean up {}", output.display());
    }
    Ok(())
}

fn cleanup(run: &Run) -> anyhow::Result<()> {
    run.console.line(format_args!("=== {} ===", Stage::Cleanup.heading()));
    run.console.line("Cleaning temporary files...");
    match run.directory.remove() {
        Ok(removed) => {
            run.console.line(format_args!("✓ Cleanup completed: {removed} files removed"));
            Ok(())
        }
        Err(error) => {
            run.console.line(format_args!("✗ Cleanup failed: {error:#}"));
            Err(anyhow!("the clean-up failed"))
        }
    }
}

/// Runs a stage on threads of its own, so that it can be told to stop whatever it does, and says how it ended.
async fn one(run: &Run, stage: Stage) -> anyhow::Result<()> {
    run.console.line(format_args!("=== {} ===", stage.heading()));
    let workers =
        runtime::Builder::new_multi_thread().enable_all().build().context("failed to start threads")?;
    let work = workers.spawn({
        let run = run.clone();
        async move { work(&run, stage).await }
    });
    let outcome = tokio::select! {
        outcome = work => outcome.unwrap_or_else(|_| Err(anyhow!("a thread panicked").into())),
        () = run.shutdown.requested() => Err(anyhow!(Interrupted).into()),
    };
    let let_go = |workers: Runtime| workers.shutdown_timeout(LETTING_GO);
    tokio::task::spawn_blocking(move || let_go(workers)).await.context("failed to end threads")?;
    match outcome {
        Ok(done) => {
            run.console.line(format_args!("✓ {} {done}", stage.noun()));
            Ok(())
        }
        Err(Failures(failures)) if failures.iter().any(|failure| failure.cause.is::<Interrupted>()) => {
            run.console.line(format_args!("✗ {} stopped", stage.noun()));
            Err(Interrupted.into())
        }
        Err(Failures(failures)) => {
            for failure in failures {
                run.console.line(format_args!("✗ {} failed: {failure}", stage.noun()));
            }
            Err(anyhow!("`{}` failed", stage.command()))
        }
    }
}

/// Does a stage's work, hands on to the next, and says what was done.
async fn work(run: &Run, stage: Stage) -> Result<String, Failures> {
    let start = Instant::now();
    let (mut stages, left) = match (stage, run.directory.state()?) {
        (Stage::Extract, _) => (Vec::new(), None),
        (_, Some(State { stages, left })) => (stages, Some(left)),
        (_, None) => (Vec::new(), None),
    };
    let (left, done) = match (stage, left) {
        (Stage::Extract, _) => {
            let sources = extract::run(run).await?;
            let done = format!("completed: {} sources", sources.len());
            (Left::Extracted(sources), done)
        }
        (Stage::Transform, Some(Left::Extracted(sources))) => {
            let sources = transform::run(run, sources).await?;
            let rejected: u64 = sources.iter().map(|source| source.records.rejected).sum();
            let rejected =
                if rejected > 0 { format!(", {rejected} records rejected") } else { String::new() };
            let done = format!("completed: {} sources validated{rejected}", sources.len());
            (Left::Transformed(sources), done)
        }
        (Stage::Aggregate, Some(Left::Transformed(sources))) => {
            let aggregated = aggregate::run(run, sources).await?;
            let done = format!("completed: {} records", aggregate::total(&aggregated.sources).valid);
            (Left::Aggregated(aggregated), done)
        }
        (Stage::Report, Some(Left::Aggregated(aggregated))) => {
            let paths = publish::run(run, &stages, aggregated)?;
            run.directory.finish()?;
            let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            return Ok(format!("generated: {}", paths.join(", ")));
        }
        (stage, left) => return Err(out_of_turn(stage, left.as_ref(), &run.config.temp_dir).into()),
    };
    stages.push(StageTime { name: stage.command().to_owned(), seconds: start.elapsed().as_secs_f64() });
    run.directory.hand_on(&State { stages, left })?;
    Ok(done)
}

/// Says what is missing for a stage, and what is there instead.
fn out_of_turn(stage: Stage, left: Option<&Left>, temp_dir: &Path) -> anyhow::Error {
    let before = match stage {
        Stage::Report => Stage::Aggregate,
        Stage::Aggregate => Stage::Transform,
        _ => Stage::Extract,
    };
    let there = left.map_or("nothing".to_owned(), |left| format!("what `{}` has left", left.by().command()));
    anyhow!(
        "`{}` needs what `{}` leaves in {}, and there is {there}",
        stage.command(),
        before.command(),
        temp_dir.display()
    )
}
