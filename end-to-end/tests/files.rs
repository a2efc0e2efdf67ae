//! How files change hands between the real programs: slow writers, many replicas, owners that die or stall.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test ends at the first surprise, and plays the people who drop files"
)]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use end_to_end::{DataDir, Recorder, Reply, Running, as_nobody, is_root, run, stage, wait_for};
use rustix::process::Signal;

/// Someone without rights: `nobody`.
const NOBODY: u32 = 65534;

/// As many lines of a listing, each with a name of its own.
fn listing(lines: std::ops::Range<usize>) -> String {
    lines.map(|n| format!("-rw-r--r--    1 root     root            19 Mar 19 23:57 /f/{n:07}\n")).collect()
}

fn csv(lines: std::ops::Range<usize>) -> String {
    lines.map(|n| format!("-rw-r--r--,1,root,root,19,Mar 19 23:57,/f/{n:07}\n")).collect()
}

fn json(lines: std::ops::Range<usize>) -> String {
    lines.map(|n| format!("{{\"n\":\"{n}\"}}\n")).collect()
}

/// Writes a file in place, slowly, while a stage watches.
fn write_slowly(data: &DataDir, pieces: usize) {
    let mut file = File::create(data.path().join("listing.txt")).unwrap();
    for piece in 0..pieces {
        file.write_all(listing(piece * 100..piece * 100 + 100).as_bytes()).unwrap();
        file.flush().unwrap();
        // Slowness is what is tested here; nothing is won by it.
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_file_written_slowly_in_place_is_taken_whole() {
    let data = DataDir::new();
    let stage = Running::start(&mut stage("text-to-csv", data.path(), &[]));
    write_slowly(&data, 30);
    wait_for("the output", || (!data.waiting("csv").is_empty()).then_some(()));
    stage.stop();
    assert_eq!(data.read_all("csv"), csv(0..3000));
    assert_eq!(data.waiting("csv").len(), 1, "it was taken in one go");
}

#[test]
fn a_file_written_slowly_by_another_user_is_taken_whole() {
    if !is_root("another user's file") {
        return;
    }
    let data = DataDir::new();
    // Far longer than the writer's pauses on any machine.
    let (mut command, _program) = as_nobody(&stage("text-to-csv", data.path(), &["--settle", "3s"]));
    let stage = Running::start(&mut command);
    write_slowly(&data, 30);
    wait_for("the output", || (!data.waiting("csv").is_empty()).then_some(()));
    stage.stop();
    assert_eq!(data.read_all("csv"), csv(0..3000));
}

#[test]
fn a_file_that_appears_while_the_stage_starts_is_taken() {
    for _ in 0..20 {
        let data = DataDir::new();
        let stage = Running::start(&mut stage("text-to-csv", data.path(), &[]));
        data.put("listing.txt", listing(0..1));
        wait_for("the output", || (data.read_all("csv") == csv(0..1)).then_some(()));
        drop(stage);
    }
}

#[test]
fn a_file_is_taken_though_no_events_come() {
    if !is_root("the watch limit") {
        return;
    }
    let data = DataDir::new();
    // The limit is per user, and this user's is used up: a stage that asks is refused.
    let limit: u32 =
        fs::read_to_string("/proc/sys/fs/inotify/max_user_instances").unwrap().trim().parse().unwrap();
    let (mut command, _program) = as_nobody(&stage("text-to-csv", data.path(), &[]));
    let hog = hog_watches(limit);
    let stage = Running::start(&mut command);
    stage.wait_for_log("no file events");
    data.put("listing.txt", listing(0..10));
    wait_for("the output", || (data.read_all("csv") == csv(0..10)).then_some(()));
    assert_eq!(stage.log().matches("no file events").count(), 1, "it is said once");
    stage.stop();
    drop(hog);
}

/// A process of nobody's that holds all of its inotify instances, until its input ends.
fn hog_watches(limit: u32) -> impl Drop {
    struct Hog(std::process::Child);
    impl Drop for Hog {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
    // The system call's number: perl has no name for it.
    let inotify_init1 = if cfg!(target_arch = "aarch64") { 26 } else { 294 };
    let script = format!(
        "$| = 1; for (1..{limit}) {{ last if syscall({inotify_init1}, 0) < 0 }} print qq(held\\n); <STDIN>;"
    );
    let mut hog = Command::new("perl")
        .args(["-e", &script])
        .uid(NOBODY)
        .gid(NOBODY)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut held = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(hog.stdout.take().unwrap()), &mut held).unwrap();
    assert_eq!(held, "held\n");
    Hog(hog)
}

#[test]
fn many_replicas_process_each_of_hundreds_of_files_once() {
    const FILES: usize = 300;
    let data = DataDir::new();
    let replicas: Vec<_> =
        (0..3).map(|_| Running::start(&mut stage("text-to-csv", data.path(), &[]))).collect();
    for number in 0..FILES {
        data.put(&format!("listing-{number:04}.txt"), listing(number..number + 1));
    }
    wait_for("all outputs", || (data.waiting("csv").len() == FILES).then_some(()));
    for replica in replicas {
        replica.stop();
    }
    let lines: Vec<String> = data.read_all("csv").lines().map(|line| format!("{line}\n")).collect();
    let unique: BTreeSet<String> = lines.iter().cloned().collect();
    assert_eq!((lines.len(), unique.into_iter().collect::<String>()), (FILES, csv(0..FILES)));
    assert_eq!(data.in_hand(), Vec::<PathBuf>::new());
}

#[test]
fn a_publisher_faster_than_its_consumer_overwrites_nothing_and_order_holds() {
    let data = DataDir::new();
    data.put("listing.txt", listing(0..1));
    for number in 1..50 {
        data.put(&format!("listing-{number:04}.txt"), listing(number..number + 1));
    }
    run(&mut stage("text-to-csv", data.path(), &["--once"]));
    assert_eq!(data.waiting("csv").len(), 50);
    assert_eq!(data.read_all("csv"), csv(0..50));
    run(&mut stage("csv-to-json", data.path(), &["--once"]));
    let api = Recorder::start();
    run(&mut stage("json-to-api", data.path(), &["--once", "--api-url", &api.url(), "--concurrency", "1"]));
    let order: Vec<String> =
        api.posts().iter().map(|post| String::from_utf8_lossy(&post.body).into_owned()).collect();
    let expected: Vec<String> = (0..50).map(|n| format!("/f/{n:07}")).collect();
    assert_eq!(order.len(), expected.len());
    assert!(order.iter().zip(&expected).all(|(body, name)| body.contains(name)), "{order:?}");
}

#[test]
fn a_stage_killed_in_the_middle_of_a_batch_loses_and_doubles_nothing() {
    let data = DataDir::new();
    let lines = 300_000;
    data.put("listing.txt", listing(0..lines));
    let expected = csv(0..lines);
    let mut kills = 0;
    // Killed as soon as it has the batch in hand, until one is quick enough to finish it.
    for _ in 0..5 {
        let stage = Running::start(&mut stage("text-to-csv", data.path(), &[]));
        wait_for("a claim", || {
            (data.claim("text-to-csv").is_some() || !data.waiting("csv").is_empty()).then_some(())
        });
        kills += usize::from(data.waiting("csv").is_empty());
        drop(stage);
    }
    assert!(kills > 0, "it was never caught at work");
    run(&mut stage("text-to-csv", data.path(), &["--once"]));
    assert!(data.read_all("csv") == expected, "after {kills} kills");
    assert_eq!(data.in_hand(), Vec::<PathBuf>::new());
}

#[test]
fn an_owner_stopped_and_continued_after_a_takeover_does_nothing_more() {
    let start = |data: &DataDir, args: &[&str]| stage("json-to-api", data.path(), args);
    stop_take_over_and_continue(start);
}

#[test]
fn an_owner_without_rights_over_its_input_stopped_and_continued_does_nothing_more_either() {
    if !is_root("another user's file") {
        return;
    }
    let programs = std::cell::RefCell::new(Vec::new());
    stop_take_over_and_continue(|data, args| {
        let (command, program) = as_nobody(&stage("json-to-api", data.path(), args));
        programs.borrow_mut().push(program);
        command
    });
}

/// Stops an owner in the middle of its batch, has another take the batch over, and continues the first.
fn stop_take_over_and_continue(start: impl Fn(&DataDir, &[&str]) -> Command) {
    const CONCURRENCY: usize = 8;
    let data = DataDir::new();
    let documents = 5_000;
    data.put("listing.json", json(0..documents));
    // The first owner's API answers slowly, so that it is caught in the middle.
    let slow = Recorder::with("slow", |_, _| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        Reply::Status(200)
    });
    let stopped = Running::start(&mut start(&data, &["--api-url", &slow.url(), "--concurrency", "8"]));
    wait_for("some posts", || (slow.count() > 300).then_some(()));
    stopped.signal(Signal::STOP);
    let claim = data.claim("json-to-api").unwrap();
    data.lose_lock(&claim);
    let api = Recorder::start();
    run(&mut start(&data, &["--once", "--api-url", &api.url()]));
    let before = slow.count();
    stopped.signal(Signal::CONT);
    stopped.wait_for_log("taken over by another worker");
    stopped.stop();
    let after = slow.count();
    assert!(after - before <= CONCURRENCY, "{} posts after it came back", after - before);
    let keys: BTreeSet<String> = slow.posts().into_iter().chain(api.posts()).map(|post| post.key).collect();
    assert_eq!(keys.len(), documents, "lost, or sent under another key");
    let doubled = slow.count() + api.count() - documents;
    assert!(doubled <= 1000 + CONCURRENCY, "{doubled} were sent twice");
    assert_eq!(data.in_hand(), Vec::<PathBuf>::new());
}

#[test]
fn a_batch_of_another_user_s_goes_through_as_nobody() {
    if !is_root("another user's file") {
        return;
    }
    let data = DataDir::new();
    data.put("listing.json", json(0..100));
    let api = Recorder::start();
    let (mut command, _program) =
        as_nobody(&stage("json-to-api", data.path(), &["--once", "--api-url", &api.url()]));
    run(&mut command);
    assert_eq!(api.count(), 100);
}

#[test]
fn a_stage_told_to_stop_releases_its_batch_and_the_next_goes_on_with_the_same_keys() {
    let data = DataDir::new();
    let documents = 3_000;
    data.put("listing.json", json(0..documents));
    let slow = Recorder::with("slow", |_, _| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        Reply::Status(200)
    });
    let first = Running::start(&mut stage(
        "json-to-api",
        data.path(),
        &["--api-url", &slow.url(), "--concurrency", "4"],
    ));
    wait_for("some posts", || (slow.count() > 100).then_some(()));
    first.stop();
    let sent = slow.count();
    assert!(sent < documents, "it was to be stopped in the middle");
    let rest = Recorder::start();
    run(&mut stage("json-to-api", data.path(), &["--once", "--api-url", &rest.url()]));
    assert_eq!(sent + rest.count(), documents, "nothing is sent twice after an orderly stop");
    let keys: BTreeSet<String> = slow.posts().into_iter().chain(rest.posts()).map(|post| post.key).collect();
    assert_eq!(keys.len(), documents);
}
