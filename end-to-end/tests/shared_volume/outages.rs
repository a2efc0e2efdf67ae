//! Bricks and nodes that go away for a while.

use end_to_end::{Node, Running, STAGES, wait_for};

use crate::place::Place;

const LINES: u32 = 2_000;

fn one_of_each(place: &Place, node: Node) -> Vec<Running> {
    STAGES.iter().map(|stage| place.start(node, stage.name, "200ms")).collect()
}

fn drop_files(place: &Place, files: std::ops::Range<u32>) {
    for file in files {
        place.data.put(&format!("listing-{file:02}.txt"), place.lines("txt", file, LINES));
    }
}

#[test]
fn a_brick_that_dies_and_comes_back_costs_nothing() {
    let Some(place) = Place::new() else { return };
    let running: Vec<_> = Node::ALL.into_iter().flat_map(|node| one_of_each(&place, node)).collect();
    for brick in 1..=3 {
        let sent = place.books.api.count();
        drop_files(&place, 10 * brick..10 * brick + 2);
        wait_for("some documents", || (place.books.api.count() > sent).then_some(()));
        place.bed.kill_brick(brick as usize);
        place.wait_for_the_end();
        place.bed.start_bricks();
        place.bed.wait_until_healed();
    }
    running.into_iter().for_each(|stage| drop(stage.stop()));
    place.judge(0);
}

#[test]
fn without_any_brick_for_a_while_nothing_is_lost_and_all_goes_on_by_itself() {
    let Some(place) = Place::new() else { return };
    let running: Vec<_> = Node::ALL.into_iter().flat_map(|node| one_of_each(&place, node)).collect();
    drop_files(&place, 0..3);
    wait_for("some documents", || (place.books.api.count() > 0).then_some(()));
    (1..=3).for_each(|brick| place.bed.kill_brick(brick));
    running.iter().for_each(|stage| stage.wait_for_readiness(503));
    place.bed.start_bricks();
    place.wait_for_the_end();
    running.iter().for_each(|stage| stage.wait_for_readiness(200));
    running.into_iter().for_each(|stage| drop(stage.stop()));
    place.judge(2);
}

/// The bricks take a node that does not answer for dead, and free its locks.
#[test]
fn a_node_that_is_cut_off_is_succeeded_by_the_other_and_goes_on_by_itself_when_it_is_back() {
    let Some(place) = Place::new() else { return };
    let cut_off = one_of_each(&place, Node::Second);
    drop_files(&place, 0..3);
    wait_for("some documents", || (place.books.api.count() > 0).then_some(()));
    place.bed.cut_off(Node::Second);
    let heirs = one_of_each(&place, Node::First);
    place.wait_for_the_end();
    place.bed.join(Node::Second);
    heirs.into_iter().for_each(|stage| drop(stage.stop()));
    drop_files(&place, 10..12);
    place.wait_for_the_end();
    cut_off.iter().for_each(|stage| stage.wait_for_readiness(200));
    cut_off.into_iter().for_each(|stage| drop(stage.stop()));
    place.judge(1);
}
