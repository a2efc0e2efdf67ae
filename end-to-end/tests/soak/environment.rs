//! What all threads of the soak share, and what must be true of it at the end.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};
use std::{fs, thread};

use end_to_end::{DataDir, Ledger, Token, is_root, run, stage};
use tempfile::TempDir;

use crate::disk::FrailDisk;
use crate::figures::Figures;
use crate::fleet::{Fleet, IN_FLIGHT};

/// By the contract, so many documents are sent twice after a kill, besides those in flight.
const UNSAVED: u64 = 1_000;
/// How long the last files may take: pauses grow to half a minute.
const DRAIN: Duration = Duration::from_secs(300);
const EXTENSIONS: [&str; 3] = ["txt", "csv", "json"];

/// The directory, the books, and the end.
pub(crate) struct Environment {
    // Before the disk: it is to be gone when that is unmounted.
    pub(crate) data: DataDir,
    /// Where root lends a hand.
    pub(crate) disk: Option<FrailDisk>,
    pub(crate) logs: TempDir,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) figures: Arc<Figures>,
    /// Held for writing while the disk is full or read-only: those who drop files wait.
    pub(crate) disk_is_well: RwLock<()>,
    end: Instant,
    has_failed: AtomicBool,
}

impl Environment {
    pub(crate) fn new(duration: Duration) -> Self {
        end_to_end::program("api");
        let disk = is_root("a disk that is full or read-only").then(FrailDisk::mount);
        Environment {
            data: disk.as_ref().map_or_else(DataDir::new, |disk| DataDir::within(disk.path())),
            disk,
            logs: tempfile::tempdir().unwrap(),
            ledger: Arc::default(),
            figures: Arc::new(Figures::new()),
            disk_is_well: RwLock::default(),
            end: Instant::now() + duration,
            has_failed: AtomicBool::new(false),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.end || self.has_failed.load(Ordering::SeqCst)
    }

    /// Ends it early for all where whoever holds this panics.
    pub(crate) fn end_on_panic(&self) -> impl Drop {
        struct EndOnPanic<'a>(&'a Environment);
        impl Drop for EndOnPanic<'_> {
            fn drop(&mut self) {
                self.0.has_failed.fetch_or(thread::panicking(), Ordering::SeqCst);
            }
        }
        EndOnPanic(self)
    }

    /// Lets some time pass: a soak has a pace.
    pub(crate) fn rest(&self, random: &mut fastrand::Rng, milliseconds: std::ops::Range<u64>) {
        let pause = Duration::from_millis(random.u64(milliseconds));
        thread::sleep(pause.min(self.end.saturating_duration_since(Instant::now())));
    }

    /// How many files wait, for any stage.
    pub(crate) fn waiting(&self) -> usize {
        EXTENSIONS.iter().map(|extension| self.data.waiting(extension).len()).sum()
    }

    /// Waits until all that was dropped has gone its way.
    pub(crate) fn drain(&self) {
        let start = Instant::now();
        let end = start + DRAIN;
        while self.waiting() > 0 || !self.in_claims().is_empty() {
            assert!(Instant::now() < end, "{} files wait, in hand: {:#?}", self.waiting(), self.in_claims());
            thread::sleep(Duration::from_millis(50));
        }
        println!("the rest took {:.1?}", start.elapsed());
    }

    /// What is in hand, but for self-tests that were killed: the next start of a program cleans these up.
    fn in_claims(&self) -> Vec<PathBuf> {
        let mut files = self.data.in_hand();
        files.retain(|file| !file.display().to_string().contains("self-test"));
        files
    }

    /// Checks the books and what is left, and prints the figures.
    pub(crate) fn judge(&self, duration: Duration, seed: u64, fleet: &Fleet) {
        let balance = self.ledger.balance(&self.rejected());
        let figures = &self.figures;
        let failures: u64 = fleet.log_lines("json-to-api", "trying again in");
        let ends = figures.get("kills of json-to-api") + figures.get("of them of json-to-api") + failures;
        let allowed = ends * (IN_FLIGHT + UNSAVED) + figures.get("answers lost");
        for (name, figure) in [
            ("records in", balance.records),
            ("delivered", balance.delivered),
            ("rejected", balance.rejected),
            ("of listings that died unfinished", balance.unfinished),
            ("lost", balance.lost.len() as u64),
            ("doubled between stages", balance.doubled.len() as u64),
            ("duplicates at the API", balance.duplicates),
            ("duplicates allowed", allowed),
            ("batches released after a failure", failures),
        ] {
            figures.add(name, figure);
        }
        println!("duration {}, seed {seed}", humantime::format_duration(duration));
        figures.print();
        assert!(balance.lost.is_empty() && balance.doubled.is_empty(), "{balance:?}");
        assert!(balance.strangers.is_empty() && balance.torn.is_empty(), "{balance:?}");
        assert_eq!(balance.shared_keys, 0, "keys that two records had");
        assert!(balance.duplicates <= allowed, "more duplicates than the contract allows");
        self.check_leftovers();
    }

    fn check_leftovers(&self) {
        run(&mut stage("text-to-csv", self.data.path(), &["--once"]));
        assert_eq!(self.data.in_hand(), Vec::<PathBuf>::new(), "left in .pipe/");
        let directory = self.data.path().as_os_str().as_encoded_bytes();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let command_lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
        let ours =
            command_lines.filter(|line| line.windows(directory.len()).any(|window| window == directory));
        assert_eq!(ours.count(), 0, "processes are left");
    }

    /// How often each record lies in `rejected/`.
    fn rejected(&self) -> HashMap<Token, u64> {
        let mut found = HashMap::new();
        for line in self.data.rejected() {
            let token = Token::find(&line).unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&line)));
            *found.entry(token).or_default() += 1;
        }
        found
    }
}
