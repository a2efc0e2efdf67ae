//! The syncs that the protocol does from the time a file lands until its first document is sent, with nothing between
//! them but what there is to sync: the floor under one document's way.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use tempfile::TempDir;

/// What a stage that converts syncs, in its order; ARCHITECTURE.md has the steps.
const CONVERSION: [Sync; 6] =
    [Sync::Directory, Sync::Directory, Sync::File, Sync::Directory, Sync::Directory, Sync::Directory];
/// What json-to-api syncs before it sends.
const CLAIM: [Sync; 2] = [Sync::Directory, Sync::Directory];

/// How many all are.
pub(crate) const COUNT: usize = 2 * CONVERSION.len() + CLAIM.len();

/// As large as a document.
const BYTES: [u8; 200] = [b'x'; 200];

#[derive(Clone, Copy)]
enum Sync {
    /// Of a new file with some bytes in it.
    File,
    /// Of a directory with a new name in it.
    Directory,
}

/// A directory to sync in.
pub(crate) struct Syncs {
    directory: TempDir,
    files: u64,
}

impl Syncs {
    pub(crate) fn new(directory: TempDir) -> Self {
        Self { directory, files: 0 }
    }

    /// Does them once; returns how long that took.
    ///
    /// # Errors
    /// The volume fails.
    pub(crate) fn run(&mut self) -> anyhow::Result<Duration> {
        let started = Instant::now();
        for sync in CONVERSION.into_iter().chain(CONVERSION).chain(CLAIM) {
            self.sync(sync).context("failed to sync")?;
        }
        Ok(started.elapsed())
    }

    fn sync(&mut self, sync: Sync) -> std::io::Result<()> {
        self.files += 1;
        let mut file = File::create(self.new_name())?;
        match sync {
            Sync::File => {
                file.write_all(&BYTES)?;
                file.sync_data()
            }
            Sync::Directory => fs::File::open(self.directory.path())?.sync_all(),
        }
    }

    fn new_name(&self) -> PathBuf {
        self.directory.path().join(self.files.to_string())
    }
}
