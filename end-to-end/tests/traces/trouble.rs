use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use end_to_end::{DataDir, Recorder, Reply, Running, STAGES, api, run, stage, wait_for};
use rustix::process::Signal;

use crate::collector::Collector;

/// The names of a process's threads.
fn threads(running: &Running) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", running.pid().as_raw_nonzero())).unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.map(|name| name.trim().to_owned()).collect()
}

/// As the SDK names it, cut to what the kernel keeps.
const EXPORTER: &str = "OpenTelemetry.T";

#[test]
fn without_an_endpoint_there_is_no_header_and_no_thread() {
    let (receiver, collector) = (Recorder::start(), Collector::start());
    for traced in [false, true] {
        let data = DataDir::new();
        let to = ["--api-url", &receiver.url(), "--trace-documents", "1"];
        let mut commands = vec![api()];
        commands.extend(STAGES.iter().map(|each| {
            let to: &[&str] = if each.sends() { &to } else { &[] };
            stage(each.name, data.path(), to)
        }));
        let mut running = Vec::new();
        for command in &mut commands {
            // Empty is unset.
            command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "");
            running.push(Running::start(if traced { collector.of(command) } else { command }));
        }
        let before = receiver.count();
        data.put("listing.txt", STAGES[0].good.repeat(3));
        wait_for("the documents", || (receiver.count() == before + 3).then_some(()));
        for program in &running {
            program.wait_for_readiness(200);
            assert_eq!(threads(program).contains(&EXPORTER.to_owned()), traced, "{:?}", threads(program));
        }
        for post in &receiver.posts()[before..] {
            assert_eq!(post.traceparent.is_some(), traced);
        }
        let spans = collector.spans();
        assert!(traced || spans.is_empty(), "{spans:?}");
    }
}

/// A collector that hangs is the worst: each export takes all the time that it has.
#[test]
fn a_collector_that_is_away_or_hangs_fails_nothing_and_is_told_of_once() {
    const DOCUMENTS: usize = 5_000;
    let hangs = Recorder::with("collector", |_, _| Reply::Hang);
    for endpoint in [hangs.url(), "http://127.0.0.1:1".to_owned()] {
        let (data, receiver) = (DataDir::new(), Recorder::start());
        let to = ["--api-url", &receiver.url(), "--trace-documents", "1", "--log-docs", "false"];
        let mut command = stage("json-to-api", data.path(), &to);
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint).env("OTEL_BSP_SCHEDULE_DELAY", "10");
        command.env("OTEL_EXPORTER_OTLP_TIMEOUT", "500");
        let running = Running::start(&mut command);
        data.put("listing.json", "{\"a\":1}\n".repeat(DOCUMENTS));
        // More than the queue holds.
        wait_for("all documents", || (receiver.count() == DOCUMENTS).then_some(()));
        running.wait_for_log("the collector takes no spans");
        running.wait_for_log("batch done");
        let asked = Instant::now();
        let log = running.stop();
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        assert_eq!(log.matches("the collector takes no spans").count(), 1, "{log}");
    }
}

#[test]
fn a_run_to_completion_ends_as_it_would_though_its_collector_hangs() {
    let hangs = Recorder::with("collector", |_, _| Reply::Hang);
    let data = DataDir::new();
    data.put("listing.txt", STAGES[0].good);
    let mut command = stage("text-to-csv", data.path(), &["--once"]);
    run(command.env("OTEL_EXPORTER_OTLP_ENDPOINT", hangs.url()));
    assert_eq!(data.read_all("csv"), STAGES[0].made);
}

#[test]
fn what_waits_for_the_collector_is_sent_before_the_end() {
    let (data, collector) = (DataDir::new(), Collector::start());
    data.put("listing.txt", STAGES[0].good);
    let mut command = stage("text-to-csv", data.path(), &["--once"]);
    run(collector.of(&mut command).env("OTEL_BSP_SCHEDULE_DELAY", "3600000"));
    assert_eq!(collector.spans().len(), 1);
}

/// Nobody noted anything of this file: the trace's id is the batch's, which every owner knows.
#[test]
fn the_next_owner_of_a_batch_carries_on_with_its_trace() {
    let (data, collector) = (DataDir::new(), Collector::start());
    let refusing = Recorder::with("api", |_, _| Reply::Status(503));
    let accepting = Recorder::start();
    let sends = |to: &Recorder| {
        let to = ["--api-url", &to.url(), "--trace-documents", "1"];
        let mut command = stage("json-to-api", data.path(), &to);
        Running::start(collector.of(&mut command))
    };
    data.put("listing.json", STAGES[2].good);
    let first = sends(&refusing);
    wait_for("two attempts", || (refusing.count() >= 2).then_some(()));
    first.end_by(Signal::KILL);
    let _second = sends(&accepting);
    wait_for("the document", || (accepting.count() == 1).then_some(()));
    let parents = refusing.posts().into_iter().chain(accepting.posts());
    let parents: Vec<String> = parents.map(|post| post.traceparent.unwrap()).collect();
    let traces: BTreeSet<&str> = parents.iter().map(|parent| parent.split('-').nth(1).unwrap()).collect();
    assert_eq!(traces.len(), 1, "{parents:?}");
    let spans: BTreeSet<&String> = parents.iter().collect();
    assert_eq!(spans.len(), parents.len(), "each attempt is a span of its own");
}

#[test]
fn an_endpoint_that_is_none_is_refused_by_its_name() {
    let data = DataDir::new();
    let mut command = stage("text-to-csv", data.path(), &["--once"]);
    let output = command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "collector").output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains("--otel-exporter-otlp-endpoint"), "{log}");
}
