//! A data directory with a listing in it, and json-to-api at work on it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use clap::Parser;
use json_to_api::{Config, Output, Surroundings};
use service::{Context, Interrupted, Shutdown};
use stage::{BatchDone, Observer};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::server::Server;

/// A data directory.
pub(crate) struct Directory {
    directory: TempDir,
    printed: Arc<Mutex<Vec<u8>>>,
}

/// What a run is given.
pub(crate) struct Setup {
    pub(crate) config: Config,
    /// The API's, in place of the URL's.
    pub(crate) addresses: Option<Vec<SocketAddr>>,
    pub(crate) observer: Option<Observer>,
    pub(crate) output: Output,
}

impl Setup {
    pub(crate) async fn run(self, context: Context) -> anyhow::Result<()> {
        let Setup { config, addresses, observer, output } = self;
        let surroundings = Surroundings { addresses, output: Some(output), observer };
        json_to_api::run_within(config, context, surroundings).await
    }
}

/// What is known after a run.
pub(crate) struct Outcome {
    pub(crate) result: anyhow::Result<()>,
    pub(crate) batches: Vec<BatchDone>,
}

/// The document of a line; lines count from 1.
pub(crate) fn document(line: usize) -> String {
    format!("{{\"mod\":\"-r--r--r--\",\"no\":\"{line}\",\"file\":\"/proc/{line}/status\"}}")
}

/// Which line a document of [`document`] stood in.
pub(crate) fn line(document: &str) -> usize {
    document.split('"').nth(7).unwrap().parse().unwrap()
}

impl Directory {
    /// A directory with a listing of so many documents.
    pub(crate) fn with(documents: usize) -> Self {
        let lines: Vec<_> = (1..=documents).map(document).collect();
        Self::holding(&(lines.join("\n") + "\n"))
    }

    /// A directory with a listing of this content.
    pub(crate) fn holding(content: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("listing.json"), content).unwrap();
        Directory { directory, printed: Arc::default() }
    }

    /// Drops in a further listing, whole.
    pub(crate) fn add(&self, documents: std::ops::RangeInclusive<usize>) {
        let lines: Vec<_> = documents.map(document).collect();
        let mut file = tempfile::NamedTempFile::new_in(&self.directory).unwrap();
        file.write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
        file.persist(self.path().join("listing.json")).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Settings to drain the directory into a server.
    pub(crate) fn config(&self, server: &Server, arguments: &[&str]) -> Setup {
        self.config_for(&server.url(), arguments)
    }

    pub(crate) fn config_for(&self, url: &str, arguments: &[&str]) -> Setup {
        let directory = self.path().to_str().unwrap();
        let fixed = ["json-to-api", "--once", "--settle", "1ms", "--data-dir", directory, "--api-url", url];
        let config = Config::try_parse_from(fixed.iter().chain(arguments)).unwrap();
        Setup { config, addresses: None, observer: None, output: self.printed.clone() }
    }

    /// Drains the directory into a server.
    pub(crate) async fn drain(&self, server: &Server, arguments: &[&str]) -> Outcome {
        run(self.config(server, arguments), Shutdown::new()).await
    }

    /// The documents printed, each with the line below it.
    pub(crate) fn printed(&self) -> BTreeMap<String, String> {
        let text = String::from_utf8(self.printed.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert!(text.is_empty() || text.ends_with('\n'));
        lines
            .chunks(4)
            .map(|block| {
                assert_eq!(block[..2], ["-".repeat(68).as_str(), ""], "{block:?}");
                (block[2].strip_prefix("Post doc to api: ").unwrap().to_owned(), block[3].to_owned())
            })
            .collect()
    }

    /// What lies in `rejected/`: lines, and their reasons without the line numbers.
    pub(crate) fn rejected(&self) -> Vec<(String, String)> {
        let files = self.files_in("rejected");
        let Some(lines) =
            files.iter().find(|path| path.extension().is_some_and(|extension| extension == "json"))
        else {
            assert!(files.is_empty(), "{files:?}");
            return Vec::new();
        };
        let reasons = fs::read_to_string(format!("{}.reasons", lines.display())).unwrap();
        let reasons = reasons.lines().map(|reason| reason.split_once(": ").unwrap().1.to_owned());
        let lines = String::from_utf8(fs::read(lines).unwrap()).unwrap();
        let lines: Vec<_> = lines.lines().map(str::to_owned).collect();
        let pairs: Vec<_> = lines.into_iter().zip(reasons).collect();
        pairs
    }

    /// Asserts that nothing of the batch is left but what was rejected.
    pub(crate) fn assert_published(&self) {
        assert!(self.files_in(".").is_empty(), "{:?}", self.files_in("."));
        assert!(self.files_in(".pipe").is_empty(), "{:?}", self.files_in(".pipe"));
    }

    /// The directory of the claim.
    pub(crate) fn claim(&self) -> PathBuf {
        let stage = self.path().join(".pipe/1/json-to-api");
        let claims: Vec<_> = fs::read_dir(stage).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(claims.len(), 1, "{claims:?}");
        claims[0].clone()
    }

    fn files_in(&self, directory: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path().join(directory)) else { return Vec::new() };
        let mut files = Vec::new();
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_file() {
                files.push(path);
            } else if directory == ".pipe" {
                files.extend(below(&path));
            }
        }
        files
    }
}

fn below(directory: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
}

/// Runs json-to-api to its end.
pub(crate) async fn run(mut setup: Setup, shutdown: Shutdown) -> Outcome {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    setup.observer = Some(sender);
    let result = setup.run(Context::new(shutdown)).await;
    let mut batches = Vec::new();
    while let Ok(batch) = receiver.try_recv() {
        batches.push(batch);
    }
    Outcome { result, batches }
}

impl Outcome {
    /// Asserts that the run was stopped with its work left.
    pub(crate) fn assert_interrupted(&self) {
        assert!(self.result.as_ref().unwrap_err().is::<Interrupted>());
        assert!(self.batches.is_empty());
    }

    /// Asserts that one batch was done with these counts.
    pub(crate) fn assert_done(&self, ok: u64, rejected: u64) {
        self.result.as_ref().unwrap();
        let counts: Vec<_> = self.batches.iter().map(|batch| (batch.ok, batch.rejected)).collect();
        assert_eq!(counts, [(ok, rejected)]);
    }
}

/// Asserts that a document always came with the same key, and no two with the same.
pub(crate) fn assert_keys_are_stable(servers: &[&Server]) {
    let (mut keys, mut bodies) = (BTreeMap::new(), BTreeMap::new());
    for asked in servers.iter().flat_map(|server| server.asked()) {
        let (key, body) = (asked.key().to_owned(), asked.body.clone());
        assert!(key.starts_with('"') && key.ends_with('"') && key.len() > 10, "{key}");
        assert_eq!(*keys.entry(body.clone()).or_insert(key.clone()), key);
        assert_eq!(*bodies.entry(key).or_insert(body.clone()), body);
    }
}

/// The lines of the documents that came to a server.
pub(crate) fn lines(server: &Server) -> BTreeSet<usize> {
    server.asked().iter().map(|asked| line(&asked.body)).collect()
}
