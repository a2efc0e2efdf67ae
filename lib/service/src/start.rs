use std::env;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use tokio::runtime;
use tracing::Level;

use crate::admin::Admin;
use crate::{Context, Settings, Shutdown, check, command_line, signals, telemetry};

/// Runs a program: all of its `main`.
///
/// Reads the settings, starts telemetry, logs one start line, obeys signals, opens the admin port, and runs `run` until
/// it returns. An error's chain is printed once. The exit status is 0 for done, 1 for failed, 2 for settings that cannot
/// be read; with `--check-health` 0 for healthy and 1 for not.
pub fn main<S, F, Fut>(run: F) -> ExitCode
where
    S: Settings,
    F: FnOnce(S, Context) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let command = command_line::command::<S>(|name| env::var_os(name));
    let name = command.get_name().to_owned();
    let settings = match command_line::parse::<S>(command, env::args_os()) {
        Ok(settings) => settings,
        Err(error) => {
            // Help and version come this way too, with status 0.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let outcome =
        if settings.check_health() { check::ask(settings.admin()) } else { start(&name, settings, run) };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

fn start<S, F, Fut>(name: &str, settings: S, run: F) -> anyhow::Result<()>
where
    S: Settings,
    F: FnOnce(S, Context) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    telemetry::start(settings.log())?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "{name} starts");
    let threads = settings.threads();
    let context = Context::new(Shutdown::new());
    signals::watch(context.shutdown.clone())?;
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    let program = with_admin_port(settings, context, run);
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(program)));
    // Not by dropping it, which waits for threads that may never end.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|_| Err(anyhow!("{name} panicked")))
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
        Err(error) = admin => Err(anyhow!(error).context("the admin port ended")),
    }
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

    // The only test that starts a program here, since telemetry and signal handlers are the process's. All else that a
    // start does is tested with the programs.
    #[test]
    fn a_panic_ends_the_program_though_a_thread_of_it_hangs() {
        let log = LogArgs::default();
        let outcome = start("sample", Sample { log }, |_, _| async {
            tokio::task::spawn_blocking(|| {
                loop {
                    thread::park();
                }
            });
            panic!("on purpose")
        });
        assert_eq!(outcome.unwrap_err().to_string(), "sample panicked");
    }
}
