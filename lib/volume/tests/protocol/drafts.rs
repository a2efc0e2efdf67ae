//! Files that begin the chain.

use std::fs;
use std::io::Write;

use volume::{Spec, Volume};

use crate::support::*;

const DRAFT: Spec = Spec { name: "getdata", stem: "listing", input: None, output: Some("txt") };

#[test]
fn two_drafts_at_once_are_both_published() {
    let directory = directory();
    let volume = Volume::open(directory.path()).unwrap();
    let mut drafts = [volume.begin_draft(DRAFT).unwrap(), volume.begin_draft(DRAFT).unwrap()];
    for draft in &mut drafts {
        draft.output().write_all(b"x").unwrap();
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
    volume.begin_draft(DRAFT).unwrap().output().write_all(b"half").unwrap();
    let finished = directory.path().join(format!(".pipe/1/getdata/{ID}.1"));
    fs::create_dir(&finished).unwrap();
    fs::write(finished.join("output"), "whole").unwrap();
    let recovered = volume.recover_drafts(DRAFT).unwrap();
    assert_eq!(recovered, volume::Recovered { published: vec!["listing.txt".into()], deleted: 1 });
    assert_eq!(fs::read(directory.path().join("listing.txt")).unwrap(), b"whole");
    assert_eq!(files(&directory.path().join(".pipe")), Vec::<String>::new());
}
