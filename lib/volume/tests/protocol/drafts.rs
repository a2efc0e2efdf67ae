//! Files that begin the chain.

use std::fs;
use std::io::Write;

use volume::{Draft, Spec, Volume};

use crate::support::*;

const DRAFT: Spec = Spec { name: "getdata", stem: "listing", input: None, output: Some("txt") };

#[test]
fn two_drafts_at_once_are_both_published() {
    let directory = directory();
    let volume = Volume::open(directory.path()).unwrap();
    let mut drafts = [volume.begin_draft(DRAFT).unwrap(), volume.begin_draft(DRAFT).unwrap()];
    for draft in &mut drafts {
        draft.output.write_all(b"x").unwrap();
    }
    assert_eq!(volume.recover_drafts(DRAFT).unwrap(), volume::Recovered::default(), "they are in hand");
    let names = drafts.map(|draft| draft.publish().unwrap().unwrap());
    assert_eq!(names[0], "listing.txt");
    assert!(names[1].starts_with("listing-"));
    assert_eq!(volume.waiting(DRAFT).unwrap(), 2);
}

#[test]
fn a_dead_owners_draft_is_published_if_finished_and_deleted_if_not() {
    let directory = directory();
    let volume = Volume::open(directory.path()).unwrap();
    volume.begin_draft(DRAFT).unwrap().output.write_all(b"half").unwrap();
    let finished = directory.path().join(format!(".pipe/1/getdata/{ID}.1"));
    fs::create_dir(&finished).unwrap();
    fs::write(finished.join("output"), "whole").unwrap();
    let recovered = volume.recover_drafts(DRAFT).unwrap();
    assert_eq!(recovered, volume::Recovered { published: vec!["listing.txt".into()], deleted: 1 });
    assert_eq!(fs::read(directory.path().join("listing.txt")).unwrap(), b"whole");
    assert_eq!(files(&directory.path().join(".pipe")), Vec::<String>::new());
}

/// A draft with an input, of which a line is refused.
fn draft_with_refused(volume: &Volume) -> Draft {
    let mut draft = volume.begin_draft(DRAFT).unwrap();
    draft.create_input().unwrap().write_all(b"good\nbad\n").unwrap();
    draft.output.write_all(b"good\n").unwrap();
    draft.rejected.start(2, "it is bad").unwrap();
    draft.rejected.piece(b"bad").unwrap();
    draft.rejected.end().unwrap();
    draft
}

#[test]
fn what_a_draft_refuses_is_published_with_it_and_what_it_was_made_of_is_gone() {
    let directory = directory();
    let volume = Volume::open(directory.path()).unwrap();
    draft_with_refused(&volume).publish().unwrap();
    assert_eq!(fs::read(directory.path().join("listing.txt")).unwrap(), b"good\n");
    let rejected = sorted(files(&directory.path().join("rejected")));
    let [lines, reasons] = rejected.as_slice() else { panic!("{rejected:?}") };
    assert_eq!(format!("{lines}.reasons"), *reasons);
    assert!(lines.contains("/listing-") && lines.ends_with(".txt"), "as the file could be called: {lines}");
    assert_eq!(fs::read(lines).unwrap(), b"bad\n");
    assert_eq!(fs::read(reasons).unwrap(), b"2: it is bad\n");
    assert_eq!(files(&directory.path().join(".pipe")), Vec::<String>::new());
}

#[test]
fn a_draft_that_is_discarded_or_whose_owner_dies_publishes_nothing_that_it_refused() {
    let directory = directory();
    let volume = Volume::open(directory.path()).unwrap();
    draft_with_refused(&volume).discard().unwrap();
    drop(draft_with_refused(&volume));
    // The owner died between the names of what was refused and the commit.
    let claim = directory.path().join(format!(".pipe/1/getdata/{ID}.1"));
    fs::create_dir(&claim).unwrap();
    for file in ["input.1", "output.1", "rejected", "reasons"] {
        fs::write(claim.join(file), file).unwrap();
    }
    let recovered = volume.recover_drafts(DRAFT).unwrap();
    assert_eq!(recovered, volume::Recovered { published: Vec::new(), deleted: 2 });
    assert_eq!(files(directory.path()), Vec::<String>::new());
}

#[test]
fn a_dead_owners_finished_draft_is_published_with_what_it_refused() {
    let directory = directory();
    let volume = Volume::open(directory.path()).unwrap();
    let claim = directory.path().join(format!(".pipe/1/getdata/{ID}.1"));
    fs::create_dir_all(&claim).unwrap();
    for file in ["input.1", "output", "rejected", "reasons"] {
        fs::write(claim.join(file), file).unwrap();
    }
    let recovered = volume.recover_drafts(DRAFT).unwrap();
    assert_eq!(recovered, volume::Recovered { published: vec!["listing.txt".into()], deleted: 0 });
    let rejected = format!("listing-{ID}.txt");
    assert_eq!(fs::read(directory.path().join("rejected").join(&rejected)).unwrap(), b"rejected");
    assert_eq!(fs::read(directory.path().join("rejected").join(rejected + ".reasons")).unwrap(), b"reasons");
    assert_eq!(files(&directory.path().join(".pipe")), Vec::<String>::new());
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}
