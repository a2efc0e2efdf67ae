//! Small peers that no registry provides as a program: this very program runs as one of them, so that each is a process of
//! its own that can be measured.
//!
//! Those that are scripts and settings lie in `peers/` beside `src/`.

mod converter;
mod epoll;
mod syncs;

use std::net::SocketAddr;
use std::path::PathBuf;

pub(crate) use syncs::{COUNT as SYNCS, Syncs};

/// Which peer to be.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Peer {
    /// CSV to JSON with csv and `serde_json`; the input is deleted once the output is synced.
    CsvToJson { input: PathBuf, output: PathBuf },
    /// Answers every request with a reply read from a file, in one thread.
    Epoll { listen: SocketAddr, reply: PathBuf },
}

impl Peer {
    /// Does what that peer does.
    ///
    /// # Errors
    /// The peer's own.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self {
            Peer::CsvToJson { input, output } => converter::csv_to_json(&input, &output),
            Peer::Epoll { listen, reply } => epoll::serve(listen, &reply),
        }
    }
}
