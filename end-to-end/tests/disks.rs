//! The chain on the file systems that one machine has, and what each of these can do.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fs::{self, File};

use end_to_end::{Books, DataDir, Disk, FileSystem, Outcome, Running, STAGES, Token, run, stage, wait_for};
use rustix::process::Signal;
use volume::{Fallback, Volume};

const FULL: &str = "No space left on device";
const IN_FLIGHT: u64 = 16;

/// A directory on a disk of its own, and its books.
struct Place {
    // Before the disk: it is to be gone when that is unmounted.
    data: DataDir,
    disk: Disk,
    books: Books,
}

impl Place {
    fn start(&self, name: &str) -> Running {
        let (url, in_flight) = (self.books.api.url(), IN_FLIGHT.to_string());
        let args: &[&str] = match name {
            "json-to-api" => &["--api-url", &url, "--concurrency", &in_flight, "--log-docs", "false"],
            _ => &[],
        };
        Running::start(&mut stage(name, self.data.path(), args))
    }

    /// Runs one of each stage until all is done.
    fn finish(&self) {
        let running: Vec<_> = STAGES.iter().map(|stage| self.start(stage.name)).collect();
        self.books.wait_for_the_end(&self.data);
        running.into_iter().for_each(|stage| drop(stage.stop()));
    }
}

/// All that is tried on each, in one go: what a disk costs is to be made.
fn the_chain_holds_on(kind: FileSystem) {
    end_to_end::program("api");
    let Some(disk) = Disk::of(kind) else { return };
    let place = Place { data: DataDir::within(disk.path()), disk, books: Books::open() };
    what_is_listed_and_dropped_is_sent_once(&place);
    the_killed_are_succeeded(&place);
    what_waits_is_not_overwritten(&place);
    a_full_disk_loses_nothing(&place);
    place.books.judge(&place.data, 1, IN_FLIGHT);
}

#[test]
fn the_chain_holds_on_ext4() {
    the_chain_holds_on(FileSystem::Ext4);
}

#[test]
fn the_chain_holds_on_xfs() {
    the_chain_holds_on(FileSystem::Xfs);
}

#[test]
fn the_chain_holds_on_btrfs() {
    the_chain_holds_on(FileSystem::Btrfs);
}

#[test]
fn the_chain_holds_on_tmpfs() {
    the_chain_holds_on(FileSystem::Tmpfs);
}

#[test]
fn the_chain_holds_on_overlayfs() {
    the_chain_holds_on(FileSystem::Overlayfs);
}

#[test]
fn the_chain_holds_on_bindfs() {
    the_chain_holds_on(FileSystem::Bindfs);
}

fn what_is_listed_and_dropped_is_sent_once(place: &Place) {
    let (tree, token) = (tempfile::tempdir().unwrap(), |record| Token { file: 0, record });
    let root = tree.path().join(token(0).to_string());
    fs::create_dir(&root).unwrap();
    (1..20).for_each(|record| drop(File::create(root.join(token(record).to_string())).unwrap()));
    (0..20).for_each(|record| place.books.ledger.expect(token(record), Outcome::Delivered));
    run(&mut stage("getdata", place.data.path(), &["--root", root.to_str().unwrap()]));
    for (file, input) in (1..).zip(STAGES.iter().map(|stage| stage.input)) {
        let content = place.books.lines(input, file, 200);
        // In place, as `cp` does it.
        fs::write(place.data.path().join(format!("listing-{file}.{input}")), content).unwrap();
    }
    place.finish();
    assert_eq!(place.books.judge(&place.data, 0, 0).duplicates, 0);
}

/// A converter and the sender are killed in the middle of a batch; others carry on.
fn the_killed_are_succeeded(place: &Place) {
    place.data.put("listing-10.txt", place.books.lines("txt", 10, 10_000));
    let converter = place.start("text-to-csv");
    wait_for("an output in the making", || {
        let claim = place.data.claim("text-to-csv");
        let is_made = claim.is_some_and(|claim| claim.join("output.1").exists());
        // Or a machine that is faster than this looks.
        (is_made || place.data.waiting("txt").is_empty()).then_some(())
    });
    converter.end_by(Signal::KILL);
    place.finish();
    assert_eq!(place.books.judge(&place.data, 0, 0).duplicates, 0);
    place.data.put("listing-11.json", place.books.lines("json", 11, 3_000));
    let (sender, before) = (place.start("json-to-api"), place.books.api.count());
    wait_for("some documents", || (place.books.api.count() > before + 1_000).then_some(()));
    sender.end_by(Signal::KILL);
    place.finish();
}

/// Nobody takes the CSV files meanwhile.
fn what_waits_is_not_overwritten(place: &Place) {
    let content = place.books.lines("csv", 20, 10);
    place.data.put("listing.csv", &content);
    let converter = place.start("text-to-csv");
    for file in 21..24 {
        place.data.put("listing.txt", place.books.lines("txt", file, 10));
        let published = file as usize - 19;
        wait_for("another file", || (place.data.waiting("csv").len() == published).then_some(()));
    }
    assert_eq!(fs::read_to_string(place.data.path().join("listing.csv")).unwrap(), content);
    converter.stop();
    place.finish();
}

fn a_full_disk_loses_nothing(place: &Place) {
    place.data.put("listing.txt", place.books.lines("txt", 30, 10_000));
    let ballast = place.disk.ballast();
    ballast.grow();
    // Enough to start, and to fail in the middle.
    ballast.shrink(512 << 10);
    let converter = place.start("text-to-csv");
    converter.wait_for_log(FULL);
    converter.wait_for_readiness(503);
    ballast.clear();
    converter.wait_for_readiness(200);
    converter.stop();
    place.finish();
}

/// What the self-test finds, as the table has it.
fn found(kind: FileSystem) -> Option<[bool; 3]> {
    let disk = Disk::of(kind)?;
    let volume = Volume::open(disk.path()).unwrap();
    let lacks = volume.fallbacks();
    let can = |fallback| !lacks.contains(&fallback);
    Some([can(Fallback::OwnNames), can(Fallback::Settle), volume.is_local()])
}

#[test]
fn the_table_of_file_systems_says_what_the_self_test_finds() {
    let text = include_str!("../../docs/GUARANTEES.md");
    let row = |name: &str| -> Vec<&str> {
        let start = format!("| {name} |");
        let row = text.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no {name}"));
        row.split('|').map(str::trim).skip(2).take(3).collect()
    };
    for kind in FileSystem::ALL {
        let Some(found) = found(kind) else { continue };
        assert_eq!(row(kind.name()), found.map(|can| if can { "yes" } else { "no" }), "{}", kind.name());
    }
    for not_tried in ["NFS 4", "CephFS"] {
        assert!(row(not_tried).iter().all(|cell| !["yes", "no"].contains(cell)), "{not_tried}");
    }
}
