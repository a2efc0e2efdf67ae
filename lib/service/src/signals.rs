use std::future::pending;
use std::process;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{Shutdown, telemetry};

/// When a process that was asked to stop ends whatever still hangs: after [`Shutdown::GRACE`], when all should have let
/// go, and within the 10 seconds that users are promised, with what flushing the diagnostics may take.
const LAST_RESORT: Duration = Duration::from_secs(9);

/// The signal that asked for the shutdown.
#[derive(Clone, Default)]
pub(crate) struct FirstSignal(Arc<OnceLock<Received>>);

impl FirstSignal {
    /// The exit status of a process that it interrupted: as SIGTERM, where a shutdown was requested without a signal.
    pub(crate) fn status(&self) -> u8 {
        self.0.get().unwrap_or(&SIGTERM).status
    }
}

impl From<Received> for FirstSignal {
    fn from(received: Received) -> Self {
        Self(Arc::new(OnceLock::from(received)))
    }
}

/// Requests `shutdown` at the first SIGTERM or SIGINT and exits at the second, from now on.
///
/// It waits on a thread of its own, so that it works however busy or stuck the program's runtime is.
pub(crate) fn watch(shutdown: Shutdown) -> anyhow::Result<FirstSignal> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the signals' runtime")?;
    // Before this function returns: a process with id 1 ignores signals that it does not handle.
    let signals = {
        let _entered = runtime.enter();
        Signals::install()?
    };
    let first = FirstSignal::default();
    let noted = first.clone();
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(obey(signals, shutdown, noted)))
        .context("failed to start the signals' thread")?;
    Ok(first)
}

async fn obey(mut signals: Signals, shutdown: Shutdown, noted: FirstSignal) {
    let first = signals.next().await;
    // Before the request: whoever it interrupts asks for it.
    let name = noted.0.get_or_init(|| first).name;
    shutdown.request();
    tracing::info!("stopping on {name}");
    tokio::select! {
        second = signals.next() => process::exit(second.status.into()),
        () = tokio::time::sleep(LAST_RESORT) => {
            tracing::error!("failed to stop within {LAST_RESORT:?}");
            telemetry::flush();
            process::exit(1)
        }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

pub(crate) struct Received {
    name: &'static str,
    /// 128 and the signal's number, as shells report it.
    status: u8,
}

const SIGTERM: Received = Received { name: "SIGTERM", status: 143 };
pub(crate) const SIGINT: Received = Received { name: "SIGINT", status: 130 };

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
            Some(()) = self.terminate.recv() => SIGTERM,
            Some(()) = self.interrupt.recv() => SIGINT,
            else => pending().await,
        }
    }
}
