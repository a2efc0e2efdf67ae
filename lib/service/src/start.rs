use std::env;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use tokio::runtime;
use tracing::Level;

use crate::admin::Admin;
use crate::signals::{self, FirstSignal};
use crate::{Context, Interrupted, Settings, Shutdown, check, command_line, telemetry};

/// Runs a program: all of its `main`. `name` and `about` are the package's name and description.
///
/// Obeys signals, reads the settings, starts telemetry, logs one start line, opens the admin port, and runs `run` on one
/// thread until it returns. An error's chain is printed once. The exit status is 0 for done, 1 for failed, 2 for settings
/// that cannot be read, 143 or 130 for [`Interrupted`]; with `--check-health` 0 for healthy and 1 for not.
pub fn main<S, F, Fut>(name: &'static str, about: &'static str, run: F) -> ExitCode
where
    S: Settings,
    F: FnOnce(S, Context) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    // First of all: until then, signals kill the process, or pass it by where its id is 1.
    let shutdown = Shutdown::new();
    let signal = signals::watch(shutdown.clone());
    let command = command_line::command::<S>(|name| env::var_os(name)).name(name).about(about);
    let settings = match command_line::parse::<S>(command, env::args_os()) {
        Ok(settings) => settings,
        Err(error) => {
            // Help and version come this way too, with status 0.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let outcome = signal.and_then(|signal| {
        if settings.check_health() {
            return check::ask(settings.admin()).map(|()| ExitCode::SUCCESS);
        }
        start(name, settings, shutdown, run).or_else(|error| interrupted(error, &signal))
    });
    let status = outcome.unwrap_or_else(|error| {
        report(&error);
        ExitCode::FAILURE
    });
    telemetry::flush();
    status
}

fn start<S, F, Fut>(name: &str, settings: S, shutdown: Shutdown, run: F) -> anyhow::Result<ExitCode>
where
    S: Settings,
    F: FnOnce(S, Context) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    telemetry::start(settings.log())?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "{name} starts");
    let runtime =
        runtime::Builder::new_current_thread().enable_all().build().context("failed to start the runtime")?;
    let program = with_admin_port(settings, Context::new(shutdown), run);
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(program)));
    // Not by dropping it, which waits for threads that may never end.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|_| Err(anyhow!("{name} panicked"))).map(|()| ExitCode::SUCCESS)
}

async fn with_admin_port<S, F, Fut>(settings: S, context: Context, run: F) -> anyhow::Result<()>
where
    S: Settings,
    F: FnOnce(S, Context) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let Some(address) = settings.admin() else {
        return run(settings, context).await;
    };
    let admin = Admin::bind(address, &context).await?;
    let admin = tokio::spawn(admin.serve());
    tokio::select! {
        outcome = run(settings, context) => outcome,
        // It ends by a panic only; a program without its probes is better started anew.
        _ = admin => Err(anyhow!("the admin port ended")),
    }
}

/// The exit status of a run to completion that was told to stop; any other error is given back.
fn interrupted(error: anyhow::Error, signal: &FirstSignal) -> anyhow::Result<ExitCode> {
    let is_interrupted = error.is::<Interrupted>() || error.chain().any(|cause| cause.is::<Interrupted>());
    if is_interrupted { Ok(ExitCode::from(signal.status())) } else { Err(error) }
}

/// Prints an error with its causes, once, also where the filter lets nothing through.
fn report(error: &anyhow::Error) {
    if tracing::enabled!(Level::ERROR) {
        tracing::error!("{error:#}");
    } else {
        // Nothing is left to do where standard error is closed.
        let _ = writeln!(io::stderr(), "error: {error:#}");
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use clap::Parser;

    use super::*;
    use crate::settings::LogArgs;

    #[derive(Parser)]
    struct Sample {
        #[command(flatten)]
        log: LogArgs,
    }

    impl Settings for Sample {
        fn log(&self) -> &LogArgs {
            &self.log
        }
    }

    // The only test that starts a program here, since telemetry is the process's. All else that a start does is tested
    // with the programs.
    #[test]
    fn a_panic_ends_the_program_though_a_thread_of_it_hangs() {
        let log = LogArgs { rust_log: "off".to_owned(), ..LogArgs::default() };
        let outcome = start("sample", Sample { log }, Shutdown::new(), |_, _| async {
            tokio::task::spawn_blocking(|| {
                loop {
                    thread::park();
                }
            });
            panic!("on purpose")
        });
        assert_eq!(outcome.unwrap_err().to_string(), "sample panicked");
    }

    #[test]
    fn an_interrupted_run_is_told_by_its_status_wherever_its_error_says_so() {
        let signal = FirstSignal::default();
        let plain = anyhow::Error::from(Interrupted);
        let below = anyhow::Error::from(Interrupted).context("failed to convert");
        let above = anyhow!("a batch is left").context(Interrupted);
        for error in [plain, below, above] {
            let status = interrupted(error, &signal).unwrap();
            assert_eq!(format!("{status:?}"), format!("{:?}", ExitCode::from(143)));
        }
        assert!(interrupted(anyhow!("failed"), &signal).is_err());
        assert_eq!(FirstSignal::from(signals::SIGINT).status(), 130);
    }
}
