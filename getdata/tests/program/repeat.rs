//! Again and again, until it is told to stop.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Place, wait_until};

fn start(place: &Place, arguments: &[&str]) -> Child {
    place.getdata().args(arguments).stderr(Stdio::piped()).spawn().unwrap()
}

fn stop(child: Child, signal: Signal) -> String {
    let asked = Instant::now();
    kill_process(Pid::from_child(&child), signal).unwrap();
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert!(asked.elapsed() < Duration::from_secs(8), "{log}");
    log
}

#[test]
fn it_lists_at_each_interval_until_it_is_told_to_stop() {
    let place = Place::new();
    let child = start(&place, &["--every", "50ms"]);
    wait_until("three listings wait", || place.waiting().len() >= 3);
    stop(child, Signal::TERM);
    place.assert_nothing_in_hand();
}

#[test]
fn it_stops_at_once_between_two_listings() {
    let place = Place::new();
    let child = start(&place, &["--every", "1h"]);
    wait_until("a listing waits", || place.waiting().len() == 1);
    wait_until("its claim is gone", || crate::files(&place.data().join(".pipe")).is_empty());
    stop(child, Signal::INT);
    assert_eq!(place.waiting().len(), 1);
}

#[test]
fn a_listing_that_fails_is_tried_again_at_the_next_interval() {
    let place = Place::new();
    let late = place.directory.path().join("late");
    let mut command = crate::getdata();
    command.arg("--data-dir").arg(place.data()).arg("--root").arg(&late).args(["--every", "20ms"]);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    // The claim of a first attempt; it comes before the look at the root.
    wait_until("it has begun", || place.data().join(".pipe/1/getdata").exists());
    fs::create_dir(&late).unwrap();
    wait_until("a listing waits", || !place.waiting().is_empty());
    let log = stop(child, Signal::TERM);
    assert!(log.contains("published"), "{log}");
}

#[test]
fn it_goes_on_once_the_backlog_is_worked_off() {
    let place = Place::new();
    let child = start(&place, &["--every", "20ms", "--max-backlog", "2"]);
    wait_until("the backlog is full", || place.waiting().len() == 2);
    // Some stage takes one.
    let taken = place.data().join("taken");
    let first = place.data().join(&place.waiting()[0]);
    let moved = std::process::Command::new("mv").arg(&first).arg(&taken).status().unwrap();
    assert!(moved.success());
    wait_until("the backlog is full again", || place.waiting().len() == 2);
    stop(child, Signal::TERM);
    assert_eq!(place.waiting().len(), 2);
}

#[test]
fn a_listing_under_way_is_finished_or_given_up_in_time() {
    let place = Place::new();
    let mut command = crate::getdata();
    command.arg("--data-dir").arg(place.data()).args(["--root", "/usr", "--every", "1h"]);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    let claims = place.data().join(".pipe/1/getdata");
    wait_until("it is at work", || !crate::files(&claims).is_empty());

    let asked = Instant::now();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert!(asked.elapsed() < Duration::from_secs(10), "{log}");
    match place.waiting().len() {
        0 => assert!(log.contains("gave up"), "{log}"),
        _ => assert!(place.listing().lines().count() > 1, "{log}"),
    }
    place.assert_nothing_in_hand();
}
