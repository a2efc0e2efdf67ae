//! Each real program as process 1 of its own namespace, as in a container: it ends in time when told to.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use end_to_end::{DataDir, Running, api, is_root, stage, wait_for};
use rustix::process::{Pid, Signal, kill_process};

/// What a pod is given by the contract.
const IN_TIME: Duration = Duration::from_secs(10);

/// Starts a command as process 1, waits until it has started, and sends it SIGTERM.
fn ends_in_time(command: &Command, started: &str) {
    let mut inside = Command::new("unshare");
    inside.args(["--pid", "--fork", "--kill-child"]).arg(command.get_program()).args(command.get_args());
    let mut running = Running::start(&mut inside);
    running.wait_for_log(started);
    let outer = running.pid().as_raw_nonzero();
    let children = format!("/proc/{outer}/task/{outer}/children");
    let first = wait_for("process 1", || {
        fs::read_to_string(&children).unwrap().trim().parse().ok().and_then(Pid::from_raw)
    });
    let told = Instant::now();
    kill_process(first, Signal::TERM).unwrap();
    let status = running.wait();
    assert!(status.success(), "{command:?}: {status}: {}", running.log());
    assert!(told.elapsed() < IN_TIME, "{command:?} took {:?}", told.elapsed());
}

#[test]
fn every_program_ends_in_time_as_process_1() {
    if !is_root("a namespace of its own") {
        return;
    }
    let data = DataDir::new();
    let admin: &[&str] = &["--admin-listen", "127.0.0.1:0"];
    ends_in_time(&stage("getdata", data.path(), &["--root", "/usr/share/doc", "--every", "1m"]), "listing");
    for name in ["text-to-csv", "csv-to-json"] {
        ends_in_time(&stage(name, data.path(), admin), "starts");
    }
    // An API that is away: the batch in hand is released.
    data.put("listing.json", "{}\n");
    let away = stage("json-to-api", data.path(), &[admin, &["--api-url", "http://127.0.0.1:1"]].concat());
    ends_in_time(&away, "127.0.0.1:1");
    ends_in_time(&api(), "listening");
}
