use std::future::pending;
use std::process;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::Shutdown;

/// When a process that was asked to stop ends whatever still hangs: within the 10 seconds that users are promised, and
/// after [`Shutdown::GRACE`], when all should have let go.
const LAST_RESORT: Duration = Duration::from_millis(9_500);

/// Requests `shutdown` at the first SIGTERM or SIGINT and exits at the second, from now on.
///
/// It waits on a thread of its own, so that it works however busy or stuck the program's runtime is.
pub(crate) fn watch(shutdown: Shutdown) -> anyhow::Result<()> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the signals' runtime")?;
    // Before this function returns: a process with id 1 ignores signals that it does not handle.
    let signals = {
        let _entered = runtime.enter();
        Signals::install()?
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(obey(signals, shutdown)))
        .context("failed to start the signals' thread")?;
    Ok(())
}

async fn obey(mut signals: Signals, shutdown: Shutdown) {
    let first = signals.next().await;
    // Before the log line, which may block.
    shutdown.request();
    tracing::info!("stopping on {}", first.name);
    tokio::select! {
        second = signals.next() => process::exit(128 + second.number),
        () = tokio::time::sleep(LAST_RESORT) => {
            tracing::error!("failed to stop within {LAST_RESORT:?}");
            process::exit(1)
        }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

struct Received {
    name: &'static str,
    number: i32,
}

impl Signals {
    fn install() -> anyhow::Result<Self> {
        let install = |kind| signal(kind).context("failed to install a signal handler");
        Ok(Self {
            terminate: install(SignalKind::terminate())?,
            interrupt: install(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Received {
        tokio::select! {
            Some(()) = self.terminate.recv() => Received { name: "SIGTERM", number: 15 },
            Some(()) = self.interrupt.recv() => Received { name: "SIGINT", number: 2 },
            else => pending().await,
        }
    }
}
