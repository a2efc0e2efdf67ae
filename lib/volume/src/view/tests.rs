use std::io::Read as _;
use std::time::Instant;

use super::*;
use crate::{Commit, Next, Scanner, Taken, Volume};

const SPEC: Spec = Spec { name: "test", stem: "listing", input: Some("csv"), output: Some("json") };

fn read(file: Option<File>) -> Option<String> {
    file.map(|mut file| {
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        text
    })
}

#[test]
fn an_empty_directory_stays_empty_under_every_look() {
    let directory = tempfile::tempdir().unwrap();
    let view = View::new(directory.path());
    assert_eq!(view.loads(&[SPEC]).unwrap(), [Load::default()]);
    assert_eq!(view.rejected(SPEC, 10).unwrap().count, 0);
    assert!(view.open_rejected(SPEC, "listing.csv").unwrap().is_none());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_directory_that_is_missing_is_an_error_that_names_it() {
    let error = View::new(Path::new("/no/such/directory")).loads(&[SPEC]).unwrap_err();
    assert_eq!(error.to_string(), "failed to read directory `/no/such/directory`");
}

#[test]
fn a_file_waits_then_is_in_hand_and_then_is_the_next_stages() {
    let directory = tempfile::tempdir().unwrap();
    let (view, volume) = (View::new(directory.path()), Volume::open(directory.path()).unwrap());
    let next = Spec { name: "next", stem: "listing", input: Some("json"), output: None };
    let counts = || -> Vec<(usize, usize)> {
        let loads = view.loads(&[SPEC, next]).unwrap();
        loads.iter().map(|load| (load.waiting, load.in_hand)).collect()
    };
    std::fs::write(directory.path().join("listing.csv"), "x\n").unwrap();
    for other in ["listing.csv.tmp", "listing-a b.csv", "other.csv"] {
        std::fs::write(directory.path().join(other), "x").unwrap();
    }
    assert_eq!(counts(), [(1, 0), (0, 0)]);
    let mut scanner = Scanner::new(volume, SPEC, Duration::ZERO, Duration::from_secs(2));
    let mut now = Instant::now();
    let claim = loop {
        match scanner.next(now).unwrap() {
            Next::Taken(Taken::Ready(claim)) => break claim,
            Next::Nothing { again } => now = again.unwrap(),
            Next::Taken(Taken::Committed(_)) => panic!("nothing was committed"),
        }
    };
    assert_eq!(counts(), [(0, 1), (0, 0)]);
    let mut batch = claim.begin().unwrap();
    std::io::Write::write_all(&mut batch.output, b"y\n").unwrap();
    match batch.commit().unwrap() {
        Commit::Done(committed) => drop(committed.publish().unwrap()),
        Commit::Changed(_) => panic!("nobody writes to it"),
    }
    assert_eq!(counts(), [(0, 0), (1, 0)]);
}

#[test]
fn of_what_was_refused_the_newest_are_named_and_all_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let rejected = directory.path().join("rejected");
    std::fs::create_dir(&rejected).unwrap();
    for number in 0..5 {
        std::fs::write(rejected.join(format!("listing-{number}.csv")), "bad\n").unwrap();
        std::fs::write(rejected.join(format!("listing-{number}.csv.reasons")), "1: why\n").unwrap();
    }
    std::fs::write(rejected.join("listing-5.json"), "{}").unwrap();
    let view = View::new(directory.path());
    let files = view.rejected(SPEC, 2).unwrap();
    let names: Vec<&str> = files.newest.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((files.count, names), (5, vec!["listing-4.csv", "listing-3.csv"]));
    assert_eq!(read(view.open_rejected(SPEC, "listing-4.csv").unwrap()).unwrap(), "bad\n");
    assert_eq!(read(view.open_reasons(SPEC, "listing-4.csv").unwrap()).unwrap(), "1: why\n");
}

#[test]
fn no_name_and_no_link_leads_out_of_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let (view, rejected) = (View::new(directory.path()), directory.path().join("rejected"));
    std::fs::write(directory.path().join("listing.csv"), "waits").unwrap();
    std::fs::create_dir(&rejected).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", rejected.join("listing-1.csv")).unwrap();
    for name in ["listing-1.csv", "../listing.csv", "listing-..", "/etc/passwd", "", "."] {
        assert!(view.open_rejected(SPEC, name).unwrap().is_none(), "{name}");
    }
    assert_eq!(view.rejected(SPEC, 9).unwrap().newest.len(), 0);
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(elsewhere.path().join("listing-2.csv"), "x").unwrap();
    let view = View::new(directory.path().join("led-out").as_path());
    std::fs::create_dir(view.root()).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), view.root().join("rejected")).unwrap();
    assert!(view.open_rejected(SPEC, "listing-2.csv").unwrap().is_none());
}
