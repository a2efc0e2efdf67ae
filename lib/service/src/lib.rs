//! How every program starts, reports and stops.
//!
//! [`main`] is the one path that all programs take: signals, settings, telemetry, one start line, the admin port, then
//! the program's own `run`; at the end the whole chain of an error once, and the exit status (0 done, 1 failed, 2 what
//! the command line's parser refuses, 130 or 143 for a run to completion that was told to stop, and after a second
//! signal).
//!
//! It knows nothing of files, records or the programs' protocols, never changes the process's environment, and starts
//! nothing anew: what fails ends the process, and what runs the process decides what comes next.
//!
//! - `start`: [`main`]
//! - [`settings`]: flags and environment variables that several programs share; `command_line`: how all are read
//! - `telemetry`: diagnostics on standard error, which waits for nobody
//! - `shutdown`: [`Shutdown`], asked for once and seen everywhere; `signals`: who asks for it
//! - `health`: [`Health`], what the probes are told; `admin`: the port that tells them; `pages`: [`Pages`], what a
//!   program shows there besides; `check`: who asks that port
//! - `serve`: [`Server`], the one HTTP server, for the admin port and for services; `connection`: one connection, from
//!   its acceptance to its end, which [`KeepOpen`] puts off

mod admin;
mod check;
mod command_line;
mod connection;
mod health;
mod pages;
mod serve;
pub mod settings;
mod shutdown;
mod signals;
mod start;
mod telemetry;

pub use connection::KeepOpen;
pub use health::Health;
pub use pages::Pages;
pub use serve::{Limits, Server, bind};
pub use settings::Settings;
pub use shutdown::{Interrupted, Shutdown};
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
    /// What else the admin port shows.
    pub pages: Pages,
}

impl Context {
    /// A context of its own health and metrics, not ready as soon as `shutdown` is requested.
    pub fn new(shutdown: Shutdown) -> Self {
        let health = Health::until(shutdown.clone());
        Self { shutdown, health, metrics: prometheus::Registry::new(), pages: Pages::default() }
    }
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
