//! What the tests of the real programs share: starting and signalling them, a directory for them to work
//! in, and an API that records what it is sent.
//!
//! It waits for conditions, never for time, and holds the ports and processes of one test only.
//!
//! Layout: [`program`] (`programs.rs`), [`Running`] (`running.rs`), [`DataDir`] (`data_dir.rs`), [`Disk`] (`disk.rs`), [`Recorder`]
//! (`recorder.rs`), [`services()`], [`deployed()`], [`jobs()`], [`STAGES`] and [`AtWork`] (`stages.rs`), [`Balancer`] (`balancer.rs`),
//! [`decode()`] (`decode.rs`), [`documented_commands()`] (`readme.rs`), [`Ledger`] and [`Books`] (`ledger.rs`, `books.rs`), [`Packing`] (`packing.rs`),
//! [`SharedVolume`] (`shared_volume.rs`, and the script that is its process 1), [`Postgres`] (`postgres.rs`).
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod balancer;
mod books;
mod data_dir;
mod decode;
mod disk;
mod ledger;
mod packing;
mod postgres;
mod programs;
mod readme;
mod recorder;
mod running;
mod shared_volume;
mod stages;

use std::time::{Duration, Instant};

pub use balancer::Balancer;
pub use books::Books;
pub use data_dir::DataDir;
pub use decode::decode;
pub use disk::{Ballast, Disk, FileSystem};
pub use ledger::{Balance, Ledger, Outcome, Token};
pub use packing::Packing;
pub use postgres::Postgres;
pub use programs::{api, as_nobody, dashboard, program, program_for_anyone, run, stage};
pub use readme::documented_commands;
pub use recorder::{Post, Recorder, Reply};
pub use running::{Running, full_pipe};
pub use shared_volume::{Node, SharedVolume};
pub use stages::{AtWork, STAGES, Stage, deployed, jobs, services};

/// Waits until `done` gives something.
///
/// # Panics
/// It gives nothing for ten minutes, far longer than any machine needs, however busy it is.
pub fn wait_for<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(600);
    while Instant::now() < end {
        if let Some(result) = done() {
            return result;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("waited in vain for {what}")
}

/// Whether this process may do what root may: mount, change users, make namespaces. CI must.
pub fn is_root(test: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    assert!(root || std::env::var_os("CI").is_none(), "{test} must run in CI, as root");
    if !root {
        eprintln!("{test}: skipped, it needs root");
    }
    root
}
