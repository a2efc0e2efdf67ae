//! Listings of this machine's own files, by the real busybox and the real GNU `ls`, go through without one rejected
//! line and with every path as `find` has it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../lib/records/src/testing.rs"]
mod testing;

use std::collections::BTreeSet;
use std::env;
use std::process::{Command, Output};

use testing::Outcome;

/// Directories that hold every kind of entry: files, links, setuid programs, odd names, devices.
const DIRECTORIES: [&str; 3] = ["/usr", "/dev", "/etc"];

#[test]
fn every_entry_that_busybox_lists_goes_through() {
    assert_goes_through(&["busybox", "ls", "-ld"]);
}

#[test]
fn every_entry_that_gnu_ls_lists_goes_through() {
    for style in [None, Some("--time-style=long-iso"), Some("--time-style=iso"), Some("--full-time")] {
        let listing: Vec<_> = ["ls", "-ld"].into_iter().chain(style).collect();
        assert_goes_through(&listing);
    }
}

#[track_caller]
fn assert_goes_through(listing: &[&str]) {
    if !is_there(listing) {
        return;
    }
    let listed = find(&[&["-exec"], listing, &["{}", "+"]].concat());
    let named = find(&["-printf", "%p -> %l\\n"]);

    let outcome = Outcome::of(text_to_csv::convert, &listed[..]);
    assert_eq!(outcome.rejected, []);
    let entries = named.split(|&byte| byte == b'\n').count() as u64 - 1;
    assert_eq!(outcome.counts.ok, entries);

    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&outcome.output[..]);
    let paths = reader.records().map(|record| record.unwrap()[6].to_owned());
    let expected = String::from_utf8(named).unwrap();
    let expected = expected.lines().map(|line| line.strip_suffix(" -> ").unwrap_or(line));
    let (paths, expected) = (comparable(paths), comparable(expected.map(str::to_owned)));
    assert_eq!(paths.symmetric_difference(&expected).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// Busybox prints a question mark for what it thinks a terminal can't show.
fn comparable(paths: impl Iterator<Item = String>) -> BTreeSet<String> {
    let is_printed = |character: &char| character.is_ascii() && *character != '?';
    paths.map(|path| path.chars().filter(is_printed).collect()).collect()
}

/// Whether the program can be run; with `CI` set it must be there.
fn is_there(listing: &[&str]) -> bool {
    let found = Command::new(listing[0]).args(&listing[1..]).arg("/").output();
    let found = found.is_ok_and(|output| output.status.success());
    assert!(found || env::var_os("CI").is_none(), "`{}` does not work", listing.join(" "));
    if !found {
        eprintln!("skipped: `{}` does not work here", listing.join(" "));
    }
    found
}

/// What `find` prints about the directories. Names with a line feed are two lines: they are left out.
fn find(action: &[&str]) -> Vec<u8> {
    let mut find = Command::new("find");
    find.args(DIRECTORIES)
        .args(["-xdev", "-maxdepth", "4", "!", "-path", "*\n*"])
        .args(action)
        .env("LC_ALL", "C");
    let Output { stdout, stderr, .. } = find.output().unwrap();
    // What vanishes while it is looked at is reported and left out, by either.
    assert!(!stdout.is_empty(), "{}", String::from_utf8_lossy(&stderr));
    stdout
}
