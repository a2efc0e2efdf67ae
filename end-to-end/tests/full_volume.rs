//! A volume that fills up: nothing is lost, nothing is sent in vain, and the stages behind make room.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use end_to_end::{DataDir, Disk, Recorder, Reply, Running, is_root, stage, wait_for};

const FULL: &str = "No space left on device";

/// A path so long that a line is about as long in each format.
fn path(n: usize) -> String {
    format!("/f/{n:07}/{}", "x".repeat(300))
}

fn text(lines: usize) -> String {
    (0..lines)
        .map(|n| format!("-rw-r--r--    1 root     root            19 Mar 19 23:57 {}\n", path(n)))
        .collect()
}

fn csv(lines: usize) -> String {
    (0..lines).map(|n| format!("-rw-r--r--,1,root,root,19,Mar 19 23:57,{}\n", path(n))).collect()
}

fn is_output(path: &Path) -> bool {
    path.file_name().unwrap().to_string_lossy().starts_with("output")
}

/// 13 MiB hold a text of 6 and a CSV of 2, and what the stages behind make of these; not the whole text's CSV besides.
#[test]
fn a_conversion_that_finds_the_volume_full_leaves_room_for_the_stages_behind() {
    if !is_root("a small disk") {
        return;
    }
    let disk = Disk::mount("size=13m");
    let data = DataDir::within(disk.path());
    let (text, csv) = (text(6_000_000 / 365), csv(2_000_000 / 345));
    let lines = text.lines().count() + csv.lines().count();
    data.put("listing.csv", csv);
    data.put("listing.txt", text);
    let first = Running::start(&mut stage("text-to-csv", data.path(), &[]));
    first.wait_for_log(FULL);
    first.wait_for_readiness(503);
    assert!(first.ask("/readyz").1.contains(FULL), "{:?}", first.ask("/readyz"));
    first.stop();
    let in_vain: Vec<PathBuf> = data.in_hand().into_iter().filter(|path| is_output(path)).collect();
    assert_eq!(in_vain, Vec::<PathBuf>::new(), "what was made in vain takes room");
    let first = Running::start(&mut stage("text-to-csv", data.path(), &[]));
    let api = Recorder::start();
    let others = [
        Running::start(&mut stage("csv-to-json", data.path(), &[])),
        Running::start(&mut stage(
            "json-to-api",
            data.path(),
            &["--api-url", &api.url(), "--log-docs", "false"],
        )),
    ];
    wait_for("all documents", || (api.count() >= lines).then_some(()));
    wait_for("the end of all batches", || data.in_hand().is_empty().then_some(()));
    first.wait_for_readiness(200);
    for running in others.into_iter().chain([first]) {
        running.stop();
    }
    assert_eq!(api.count(), lines);
    assert_eq!(data.rejected(), Vec::<Vec<u8>>::new());
}

#[test]
fn on_a_volume_that_is_full_and_fills_up_again_nothing_is_sent_more_than_once() {
    const DOCUMENTS: usize = 20_000;
    if !is_root("a small disk") {
        return;
    }
    let disk = Disk::mount("size=8m");
    let data = DataDir::within(disk.path());
    let lines = (0..DOCUMENTS).map(|n| format!("{{\"n\":\"{n}\"}}\n"));
    data.put("listing.json", lines.collect::<String>());
    let ballast = disk.ballast();
    ballast.grow();
    // Some are tried again, so that there is progress of all kinds to save.
    let is_refused = |number: usize| number % 100 == 7;
    let api =
        Recorder::with("api", move |before, _| Reply::Status(if is_refused(before) { 503 } else { 200 }));
    let args = ["--api-url", &api.url(), "--log-docs", "false"];
    let running = Running::start(&mut stage("json-to-api", data.path(), &args));
    running.wait_for_log(FULL);
    assert_eq!(api.count(), 0, "sent, though its progress cannot be saved");
    ballast.clear();
    wait_for("some of it", || (api.count() > 3_000).then_some(()));
    ballast.grow();
    let is_full = || running.log().matches(FULL).count() > 1;
    wait_for("the end, or that the volume is full again", || {
        (is_full() || data.in_hand().is_empty()).then_some(())
    });
    ballast.clear();
    wait_for("the end of the batch", || data.in_hand().is_empty().then_some(()));
    let log = running.stop();
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for (number, post) in api.posts().into_iter().enumerate() {
        *taken.entry(post.key).or_default() += usize::from(!is_refused(number));
    }
    assert_eq!(taken.len(), DOCUMENTS);
    taken.retain(|_, count| *count != 1);
    assert_eq!(taken.len(), 0, "not taken once: {:?}\n{log}", taken.first_key_value());
    assert_eq!(data.in_hand(), Vec::<PathBuf>::new());
}
