//! Outputs that nobody reads, and signals that come at once.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use end_to_end::{
    AtWork, DataDir, Recorder, Reply, Running, STAGES, api, full_pipe, services, stage, wait_for,
};
use rustix::process::Signal;

/// What a pod is given by the contract.
const IN_TIME: Duration = Duration::from_secs(10);

/// A program's command, with something to do where it runs to completion.
fn command(name: &str, data: &DataDir) -> Command {
    match name {
        "api" => api(),
        "getdata" => stage(name, data.path(), &["--root", "/usr/share"]),
        _ => stage(name, data.path(), &[]),
    }
}

#[test]
fn standard_error_that_nobody_reads_stops_no_stage() {
    for stage in &STAGES {
        let (data, (_unread, full)) = (DataDir::new(), full_pipe());
        let work = AtWork::start_by(stage, &data, |mut command| {
            command.stderr(full).env("RUST_LOG", "trace");
            command
        });
        data.put(&stage.file(""), stage.good);
        work.wait_for_good(1);
        assert_eq!(work.running.end_by(Signal::TERM), Some(0), "{}", stage.name);
    }
}

/// Its handlers are the first thing that a program makes: whoever finds them in place may use them.
#[test]
fn told_to_stop_the_moment_it_can_be_told_every_program_ends_in_order() {
    for name in services() {
        // A diagnostic that came before the handlers would wait here for ever.
        let (data, (_unread, full)) = (DataDir::new(), full_pipe());
        let mut command = command(name, &data);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(full);
        let running = Running::start_as_it_is(&mut command);
        running.wait_until_it_handles(Signal::TERM);
        let told = Instant::now();
        let ended = running.end_by(Signal::TERM);
        let has_work_left = name == "getdata" && data.waiting("txt").is_empty();
        assert_eq!(ended, Some(if has_work_left { 143 } else { 0 }), "{name}");
        assert!(told.elapsed() < IN_TIME, "{name} took {:?}", told.elapsed());
    }
}

#[test]
fn a_run_to_completion_told_to_stop_the_moment_it_can_be_told_leaves_its_work_and_says_so() {
    for stage in &STAGES {
        let data = DataDir::new();
        data.put(&stage.file(""), stage.good);
        let running = Running::start(&mut end_to_end::stage(stage.name, data.path(), &["--once"]));
        running.wait_until_it_handles(Signal::TERM);
        let ended = running.end_by(Signal::TERM);
        // One that was quick has done it all.
        let is_left = data.path().join(stage.file("")).exists() || data.claim(stage.name).is_some();
        assert_eq!(ended, Some(if is_left { 143 } else { 0 }), "{}", stage.name);
    }
}

#[test]
fn an_api_that_hangs_and_a_standard_output_that_nobody_reads_do_not_outlast_the_ten_seconds() {
    let (data, (_unread, full)) = (DataDir::new(), full_pipe());
    data.put("listing.json", (0..2_000).map(|n| format!("{{\"n\":\"{n}\"}}\n")).collect::<String>());
    // The first are answered, so that blocks wait for the full pipe.
    let api = Recorder::with("api", |before, _| if before < 10 { Reply::Status(200) } else { Reply::Hang });
    let mut command = stage("json-to-api", data.path(), &["--api-url", &api.url(), "--timeout", "1m"]);
    let mut running = Running::start_as_it_is(command.stdout(full));
    wait_for("posts that hang", || (api.count() > 20).then_some(()));
    let told = Instant::now();
    running.signal(Signal::TERM);
    let status = running.wait();
    assert!(
        status.success() && told.elapsed() < IN_TIME,
        "{status}, {:?}: {}",
        told.elapsed(),
        running.log()
    );
    assert!(data.claim("json-to-api").is_some(), "what is left waits for the next owner");
}
