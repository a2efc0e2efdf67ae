//! Workers that claim, convert (here: copy) and publish.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use volume::{Batch, Claim, Commit, Next, Scanner, Spec, Taken, Volume};

pub(crate) const SPEC: Spec = Spec { name: "copy", stem: "listing", input: Some("txt"), output: Some("csv") };
pub(crate) const ID: &str = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";

pub(crate) fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    Volume::open(directory.path()).unwrap();
    directory
}

pub(crate) fn scanner(directory: &TempDir) -> Scanner {
    scanner_on(&Volume::open(directory.path()).unwrap(), Duration::ZERO)
}

pub(crate) fn scanner_on(volume: &Volume, settle: Duration) -> Scanner {
    Scanner::new(volume.clone(), SPEC, settle, Duration::from_secs(2))
}

/// Takes the next batch, time passing as quickly as need be.
pub(crate) fn take(scanner: &mut Scanner) -> Option<Taken> {
    let mut now = Instant::now();
    loop {
        match scanner.next(now).unwrap() {
            Next::Taken(taken) => return Some(taken),
            Next::Nothing { again } => now = again?,
        }
    }
}

pub(crate) fn take_ready(scanner: &mut Scanner) -> Claim {
    match take(scanner) {
        Some(Taken::Ready(claim)) => claim,
        other => panic!("no batch to convert: {other:?}"),
    }
}

pub(crate) fn copy(claim: Claim) -> Batch {
    let mut batch = claim.begin().unwrap();
    let mut content = Vec::new();
    batch.input.read_to_end(&mut content).unwrap();
    batch.output.write_all(&content).unwrap();
    batch
}

/// Does all that there is to do; returns how many batches were converted.
pub(crate) fn drain(scanner: &mut Scanner) -> usize {
    let mut converted = 0;
    while let Some(taken) = take(scanner) {
        let committed = match taken {
            Taken::Committed(committed) => committed,
            Taken::Ready(claim) => {
                converted += 1;
                match copy(claim).commit().unwrap() {
                    Commit::Done(committed) => committed,
                    Commit::Changed(_) => panic!("nobody writes to these files"),
                }
            }
        };
        committed.publish().unwrap();
    }
    converted
}

/// The contents of the published files, in the order of their names.
pub(crate) fn published(directory: &TempDir) -> Vec<String> {
    published_in(directory.path())
}

pub(crate) fn published_in(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "csv"));
    // By stem: the plain name comes first, and ids in byte order.
    names.sort_by_key(|path| path.file_stem().unwrap().to_owned());
    names.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

pub(crate) fn drop_file(directory: &TempDir, name: &str, content: &str) {
    fs::write(directory.path().join(name), content).unwrap();
}

/// The regular files below a directory.
pub(crate) fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path.display().to_string()) }
    }
    found
}

pub(crate) fn assert_nothing_in_hand(directory: &TempDir) {
    assert_eq!(files(&directory.path().join(".pipe")), Vec::<String>::new());
    assert_eq!(fs::read_dir(claims(directory)).unwrap().count(), 0);
}

pub(crate) fn claims(directory: &TempDir) -> std::path::PathBuf {
    directory.path().join(".pipe/1/copy")
}

/// Lays out a claim as a dead owner left it.
pub(crate) fn orphan(directory: &TempDir, generation: u32, files: &[(&str, &str)]) {
    let claim = claims(directory).join(format!("{ID}.{generation}"));
    fs::create_dir_all(&claim).unwrap();
    for (name, content) in files {
        fs::write(claim.join(name), content).unwrap();
    }
}
