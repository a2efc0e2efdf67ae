//! How every program starts, reports and stops.
//!
//! [`main`] is the one path that all programs take: settings, telemetry, one start line, signals, the admin port, then
//! the program's own `run`; at the end the whole chain of an error once, and the exit status (0 done, 1 failed, 2 what
//! the command line's parser refuses, 130 or 143 after a second signal).
//!
//! It knows nothing of files, records or the programs' protocols, never changes the process's environment, and starts
//! nothing anew: what fails ends the process, and what runs the process decides what comes next.
//!
//! - `start`: [`main`]
//! - [`settings`]: flags and environment variables that several programs share; `command_line`: how all are read
//! - `telemetry`: diagnostics on standard error
//! - `shutdown`: [`Shutdown`], asked for once and seen everywhere; `signals`: who asks for it
//! - `health`: [`Health`], what the probes are told; `admin`: the port that tells them; `check`: who asks that port
//! - [`listener`]: binding and accepting, for the admin port and for services

mod admin;
mod check;
mod command_line;
mod health;
pub mod listener;
pub mod settings;
mod shutdown;
mod signals;
mod start;
mod telemetry;

use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

pub use health::Health;
pub use settings::Settings;
pub use shutdown::Shutdown;
pub use start::main;

/// What a program's `run` is given besides its settings.
#[derive(Clone)]
pub struct Context {
    /// Says when to stop.
    pub shutdown: Shutdown,
    /// What the probes are told.
    pub health: Health,
    /// What `/metrics` shows.
    pub metrics: prometheus::Registry,
    /// Who wants to hear of every batch handed on: the local runner, which sums them up.
    pub batches: Option<UnboundedSender<BatchDone>>,
}

impl Context {
    /// A context of its own health and metrics, not ready as soon as `shutdown` is requested.
    pub fn new(shutdown: Shutdown) -> Self {
        let health = Health::new();
        let stopping = health.clone();
        shutdown.on_request(move || stopping.problem("stopping", "shutdown was requested"));
        Self { shutdown, health, metrics: prometheus::Registry::new(), batches: None }
    }
}

/// One batch handed on.
#[derive(Debug, Clone)]
pub struct BatchDone {
    /// The stage that did it.
    pub stage: &'static str,
    /// The name under which the input lay; none for the stage that has no input.
    pub from: Option<String>,
    /// The name of what was published, if anything was.
    pub to: Option<String>,
    /// Records converted or delivered.
    pub ok: u64,
    /// Records put into `rejected/`.
    pub rejected: u64,
    /// From the claim to the hand-on.
    pub elapsed: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requested_shutdown_ends_readiness_but_not_liveness() {
        let context = Context::new(Shutdown::new());
        context.health.ready();
        assert_eq!(context.health.is_ready(), Ok(()));
        context.shutdown.request();
        assert_eq!(context.health.is_ready(), Err("stopping: shutdown was requested".to_owned()));
        assert_eq!(context.health.is_alive(), Ok(()));
    }

    #[test]
    fn becoming_ready_while_stopping_does_not_hide_the_stop() {
        let context = Context::new(Shutdown::new());
        context.shutdown.request();
        context.health.ready();
        assert!(context.health.is_ready().is_err());
    }
}
