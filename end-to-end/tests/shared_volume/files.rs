//! Files that a node drops and the other takes; publishers on both.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::thread;
use std::time::Duration;

use end_to_end::{Node, Outcome, STAGES, Token, run, stage};
use volume::{Fallback, Volume};

use crate::place::Place;

/// A fifteenth of what every replica here has files stand still: the machine may be busy.
const PAUSE: Duration = Duration::from_secs(1);
const SETTLE: &str = "15s";

#[test]
fn the_self_test_finds_on_both_nodes_what_the_table_of_file_systems_says() {
    let Some(place) = Place::new() else { return };
    let row = "| GlusterFS | no | no | no |";
    assert!(include_str!("../../../docs/GUARANTEES.md").contains(row));
    for node in Node::ALL {
        let volume = Volume::open(&place.on(node)).unwrap();
        assert_eq!(volume.fallbacks(), [Fallback::OwnNames, Fallback::Settle]);
        assert!(!volume.is_local());
    }
}

#[test]
fn a_file_goes_through_stages_on_two_nodes_and_every_document_is_sent_once() {
    let Some(place) = Place::new() else { return };
    let nodes = [Node::Second, Node::First, Node::Second];
    let running: Vec<_> =
        STAGES.iter().zip(nodes).map(|(stage, node)| place.start(node, stage.name, "200ms")).collect();
    for file in 0..5 {
        place.data.put(&format!("listing-{file}.txt"), place.lines("txt", file, 1_000));
    }
    place.wait_for_the_end();
    for stage in running {
        let log = stage.stop();
        assert!(log.contains("gets an id of its own") && log.contains("stood still for --settle"), "{log}");
    }
    assert_eq!(place.judge(0).duplicates, 0);
}

/// This kernel grants a lease on a file that the other node's writes: leases and events are one machine's.
#[test]
fn a_file_that_the_other_node_writes_slowly_is_taken_whole() {
    let Some(place) = Place::new() else { return };
    let running: Vec<_> = Node::ALL
        .into_iter()
        .flat_map(|node| STAGES.iter().map(move |stage| (node, stage.name)))
        .map(|(node, name)| place.start(node, name, SETTLE))
        .collect();
    thread::scope(|scope| {
        for (node, file) in Node::ALL.into_iter().zip(0..) {
            for (extension, file) in [("txt", 10 + file), ("csv", 20 + file), ("json", 30 + file)] {
                let place = &place;
                scope.spawn(move || {
                    let path = place.on(node).join(format!("listing-{file}.{extension}"));
                    let (content, mut writer) =
                        (place.lines(extension, file, 100), File::create(path).unwrap());
                    for piece in content.as_bytes().chunks(content.len() / 4 + 1) {
                        writer.write_all(piece).unwrap();
                        thread::sleep(PAUSE);
                    }
                });
            }
        }
    });
    place.wait_for_the_end();
    running.into_iter().for_each(|stage| drop(stage.stop()));
    assert_eq!(place.judge(0).duplicates, 0);
}

#[test]
fn publishers_on_both_nodes_overwrite_nothing_of_each_other() {
    const LISTINGS: u32 = 8;
    let Some(place) = Place::new() else { return };
    thread::scope(|scope| {
        for (node, first) in Node::ALL.into_iter().zip([0, LISTINGS]) {
            let place = &place;
            scope.spawn(move || (first..first + LISTINGS).for_each(|file| list(place, node, file)));
        }
    });
    let names = place.data.waiting("txt");
    assert_eq!(names.len(), 2 * LISTINGS as usize, "{names:?}");
    let listed = place.data.read_all("txt");
    let tokens: BTreeSet<_> = listed.lines().filter_map(|line| Token::find(line.as_bytes())).collect();
    assert_eq!(tokens.len(), 2 * LISTINGS as usize);
    // The stages' own publishers, too: two of each.
    let running: Vec<_> = Node::ALL
        .into_iter()
        .flat_map(|node| STAGES.iter().map(move |stage| (node, stage.name)))
        .map(|(node, name)| place.start(node, name, "200ms"))
        .collect();
    place.wait_for_the_end();
    running.into_iter().for_each(|stage| drop(stage.stop()));
    assert_eq!(place.judge(0).duplicates, 0);
}

/// Lists a directory of one record on a node.
fn list(place: &Place, node: Node, file: u32) {
    let (parent, token) = (tempfile::tempdir().unwrap(), Token { file, record: 0 });
    let root = parent.path().join(token.to_string());
    std::fs::create_dir(&root).unwrap();
    let getdata = stage("getdata", &place.on(node), &["--root", root.to_str().unwrap()]);
    run(&mut place.bed.on(node, getdata));
    place.books.ledger.expect(token, Outcome::Delivered);
}
