//! A test's directory on the volume, as both nodes see it, and its books.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use end_to_end::{Balance, Books, DataDir, Node, Running, SharedVolume, stage};

/// Documents in flight from one replica.
const IN_FLIGHT: u64 = 16;

/// A directory on the volume, which a test has to itself meanwhile.
pub(crate) struct Place {
    // Before the turn: it is to be gone by then.
    pub(crate) data: DataDir,
    pub(crate) bed: &'static SharedVolume,
    pub(crate) books: Books,
    _turn: MutexGuard<'static, ()>,
}

impl Place {
    /// `None`, with a message, where this machine has no such volume.
    pub(crate) fn new() -> Option<Self> {
        // It ends with this process.
        static BED: OnceLock<Option<SharedVolume>> = OnceLock::new();
        static TURN: Mutex<()> = Mutex::new(());
        // Built before anything waits.
        end_to_end::program("api");
        let bed = BED.get_or_init(|| SharedVolume::start("a volume of two nodes")).as_ref()?;
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        // What a test that failed left broken.
        bed.heal();
        Some(Place { data: DataDir::within(&bed.path(Node::First)), bed, books: Books::open(), _turn: turn })
    }

    /// Where a node has the directory.
    pub(crate) fn on(&self, node: Node) -> PathBuf {
        self.bed.path(node).join(self.data.path().file_name().unwrap())
    }

    /// Starts a replica on a node.
    pub(crate) fn start(&self, node: Node, name: &str, settle: &str) -> Running {
        let (url, in_flight) = (self.books.api.url(), IN_FLIGHT.to_string());
        let mut args = vec!["--settle", settle];
        if name == "json-to-api" {
            args.extend(["--api-url", &url, "--concurrency", &in_flight, "--log-docs", "false"]);
        }
        Running::start(&mut self.bed.on(node, stage(name, &self.on(node), &args)))
    }

    /// The lines of a file, each in the books.
    pub(crate) fn lines(&self, extension: &str, file: u32, count: u32) -> String {
        self.books.lines(extension, file, count)
    }

    pub(crate) fn wait_for_the_end(&self) {
        self.books.wait_for_the_end(&self.data);
    }

    /// Checks the books, after so many ends of senders.
    pub(crate) fn judge(&self, ends: u64) -> Balance {
        self.books.judge(&self.data, ends, IN_FLIGHT)
    }
}
