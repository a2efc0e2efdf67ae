//! Locks across the nodes, and batches that go from one to the other.

use std::fs::File;

use end_to_end::{Node, STAGES, wait_for};
use rustix::process::Signal;

use crate::place::Place;

const DOCUMENTS: u32 = 6_000;

#[test]
fn a_lock_taken_on_one_node_is_seen_on_the_other_until_its_owner_ends() {
    let Some(place) = Place::new() else { return };
    let [here, there] = Node::ALL.map(|node| place.on(node).join("lock"));
    let lock = File::create(here).unwrap();
    lock.lock().unwrap();
    let other = File::options().write(true).open(there).unwrap();
    assert!(other.try_lock().is_err(), "two nodes have the same lock");
    drop(lock);
    wait_for("the lock on the other node", || other.try_lock().ok());
}

#[test]
fn a_sender_killed_on_one_node_is_succeeded_on_the_other_with_the_same_keys() {
    let Some(place) = Place::new() else { return };
    for (node, file) in Node::ALL.into_iter().zip(1..) {
        let killed = place.start(node, "json-to-api", "200ms");
        let before = place.books.api.count();
        place.data.put("listing.json", place.lines("json", file, DOCUMENTS));
        wait_for("some documents", || (place.books.api.count() > before + 1_000).then_some(()));
        killed.end_by(Signal::KILL);
        let [first, second] = Node::ALL;
        let heir = place.start(if node == first { second } else { first }, "json-to-api", "200ms");
        place.wait_for_the_end();
        heir.stop();
    }
    place.judge(2);
}

#[test]
fn an_owner_stopped_on_one_node_and_revived_after_a_takeover_on_the_other_does_no_harm() {
    let Some(place) = Place::new() else { return };
    let stopped = place.start(Node::First, "json-to-api", "200ms");
    place.data.put("listing.json", place.lines("json", 1, DOCUMENTS));
    wait_for("some documents", || (place.books.api.count() > 1_000).then_some(()));
    stopped.signal(Signal::STOP);
    let claim = place.data.claim("json-to-api").unwrap();
    place.data.lose_lock(&claim);
    let heir = place.start(Node::Second, "json-to-api", "200ms");
    wait_for("the takeover", || (!claim.exists()).then_some(()));
    stopped.signal(Signal::CONT);
    stopped.wait_for_log("taken over");
    place.wait_for_the_end();
    heir.stop();
    place.judge(1);
    // It works on.
    place.data.put("listing.json", place.lines("json", 2, 10));
    place.wait_for_the_end();
    stopped.stop();
}

#[test]
fn converters_killed_in_the_middle_on_either_node_lose_and_double_nothing() {
    let Some(place) = Place::new() else { return };
    for (file, stage) in (0..).zip(STAGES.iter().filter(|stage| !stage.sends())) {
        for (node, file) in Node::ALL.into_iter().zip(2 * file..) {
            let killed = place.start(node, stage.name, "200ms");
            place
                .data
                .put(&format!("listing-{file}.{}", stage.input), place.lines(stage.input, file, 10_000));
            wait_for("an output in the making", || {
                let claim = place.data.claim(stage.name);
                let is_made = claim.is_some_and(|claim| claim.join("output.1").exists());
                // Or a machine that is faster than this looks.
                (is_made || place.data.waiting(stage.input).is_empty()).then_some(())
            });
            killed.end_by(Signal::KILL);
        }
    }
    let running: Vec<_> =
        Node::ALL.into_iter().flat_map(|node| STAGES.iter().map(move |s| (node, s.name))).collect();
    let running: Vec<_> = running.into_iter().map(|(node, name)| place.start(node, name, "200ms")).collect();
    place.wait_for_the_end();
    running.into_iter().for_each(|stage| drop(stage.stop()));
    assert_eq!(place.judge(0).duplicates, 0);
}
