//! Stages of one name and two stems on one volume.

use std::fs;
use std::time::Duration;

use tempfile::TempDir;
use volume::{Commit, Scanner, Spec, Volume};

use crate::support::*;

fn scanner_of(directory: &TempDir, stem: &'static str) -> Scanner {
    let volume = Volume::open(directory.path()).unwrap();
    Scanner::new(volume, Spec { stem, ..SPEC }, Duration::ZERO, Duration::from_secs(2))
}

/// What an owner that died in the middle of a batch of a stem leaves.
fn orphan_of(directory: &TempDir, claims: &str, content: &str) {
    let claim = directory.path().join(".pipe/1").join(claims).join(format!("{ID}.1"));
    fs::create_dir_all(&claim).unwrap();
    fs::write(claim.join("lock"), "").unwrap();
    fs::write(claim.join("input"), content).unwrap();
}

fn public(directory: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap());
    let mut names: Vec<_> =
        entries.filter(|entry| entry.path().is_file()).map(|entry| entry.file_name()).collect();
    names.sort();
    names.into_iter().map(|name| name.into_string().unwrap()).collect()
}

#[test]
fn a_stage_takes_and_gives_files_of_its_own_stem_alone() {
    let directory = directory();
    for name in ["a.txt", "a-1.txt", "a_b.txt", "ab.txt", "listing.txt", "listing-a.txt"] {
        drop_file(&directory, name, name);
    }
    assert_eq!(drain(&mut scanner_of(&directory, "a")), 2);
    let left = ["a_b.txt", "ab.txt", "listing-a.txt", "listing.txt"];
    let names = public(&directory);
    assert_eq!(names.iter().filter(|name| name.ends_with(".txt")).collect::<Vec<_>>(), left);
    let made: Vec<_> = names.iter().filter(|name| name.ends_with(".csv")).collect();
    assert_eq!(made.len(), 2);
    assert!(made.iter().all(|name| name.starts_with("a-") || *name == "a.csv"), "{made:?}");
    assert_eq!(drain(&mut scanner(&directory)), 2, "the default stem's");
    assert_eq!(public(&directory).iter().filter(|name| name.ends_with(".txt")).count(), 2);
}

#[test]
fn a_dead_owner_s_batch_is_taken_over_by_its_own_stem_alone() {
    let directory = directory();
    orphan_of(&directory, "copy.a", "a's");
    orphan_of(&directory, "copy", "the default's");
    assert_eq!(drain(&mut scanner_of(&directory, "b")), 0);
    assert_eq!(drain(&mut scanner_of(&directory, "copy")), 0);
    let claim = take_ready(&mut scanner_of(&directory, "a"));
    let Commit::Done(committed) = copy(claim).commit().unwrap() else { panic!("the input changed") };
    assert_eq!(committed.publish().unwrap().name.as_deref(), Some("a.csv"));
    assert_eq!(published(&directory), ["a's"]);
    assert_eq!(drain(&mut scanner(&directory)), 1);
    assert_eq!(public(&directory), ["a.csv", "listing.csv"]);
    assert_nothing_in_hand(&directory);
}
