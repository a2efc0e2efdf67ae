use std::collections::BTreeSet;

use end_to_end::{DataDir, Recorder, Running, STAGES, Stage, api, run, stage};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::collector::{Collector, Seen};
use crate::keeps_notes;

/// The chain at work on a directory, traced.
struct Chain {
    collector: Collector,
    _running: Vec<Running>,
}

impl Chain {
    fn start(data: &DataDir) -> Self {
        let collector = Collector::start();
        let api = Running::start(collector.of(&mut api()));
        let url = format!("http://{}", api.address("listening"));
        let mut running = vec![api];
        for Stage { name, .. } in &STAGES {
            let to: &[&str] =
                if *name == "json-to-api" { &["--api-url", &url, "--trace-documents", "2"] } else { &[] };
            running.push(Running::start(collector.of(&mut stage(name, data.path(), to))));
        }
        Chain { collector, _running: running }
    }
}

fn is_child(child: &Seen, parent: &Seen) -> bool {
    child.span.trace_id == parent.span.trace_id && child.span.parent_span_id == parent.span.span_id
}

#[test]
fn a_batch_is_one_trace_from_its_listing_to_the_apis_answers() {
    let data = DataDir::new();
    if !keeps_notes(&data) {
        return;
    }
    let chain = Chain::start(&data);
    data.put("listing.txt", format!("{}no entry\n", STAGES[0].good.repeat(5)));
    let collector = &chain.collector;
    // Lines 1, 3 and 5.
    let answers = collector.wait_for("api", 3);
    let delivery = collector.wait_for("json-to-api", 4);
    let first = &collector.wait_for("text-to-csv", 1)[0];
    let second = &collector.wait_for("csv-to-json", 1)[0];

    assert_eq!(first.span.parent_span_id, b"");
    let batch = first.attribute("messaging.message.id").unwrap();
    let uuid = batch.split('.').next().unwrap().replace('-', "");
    let trace: String = first.span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(trace, uuid, "to be found by what the log says");
    for (key, expected) in [
        ("messaging.destination.name", "listing.txt"),
        ("file.name", "listing.txt"),
        ("pipe.records.ok", "5"),
        ("pipe.records.rejected", "1"),
        ("pipe.outcome", "done"),
    ] {
        assert_eq!(first.attribute(key).as_deref(), Some(expected), "{key}");
    }

    assert!(is_child(second, first));
    assert_eq!(first.attribute("pipe.published"), second.attribute("file.name"));
    let (posts, turns): (Vec<&Seen>, Vec<&Seen>) =
        delivery.iter().partition(|seen| seen.span.kind() == SpanKind::Client);
    let [turn] = turns[..] else { panic!("{turns:?}") };
    assert!(is_child(turn, second));
    assert_eq!(turn.attribute("pipe.records.ok").as_deref(), Some("5"));
    assert_eq!(posts.len(), 3);
    for post in &posts {
        assert!(is_child(post, turn));
        assert_eq!(post.attribute("http.response.status_code").as_deref(), Some("200"));
        let ends = post.span.end_time_unix_nano;
        assert!(ends <= turn.span.end_time_unix_nano, "the trace lasts until the last POST");
    }
    let lines: BTreeSet<_> = posts.iter().map(|post| post.attribute("pipe.line").unwrap()).collect();
    assert_eq!(lines, ["1", "3", "5"].map(str::to_owned).into());
    for answer in &answers {
        assert_eq!(answer.span.kind(), SpanKind::Server);
        assert_eq!(posts.iter().filter(|post| is_child(answer, post)).count(), 1);
    }
    assert_eq!(answers.len(), 3, "documents that are not traced have no span at the api either");
}

#[test]
fn each_batch_has_a_trace_of_its_own() {
    let data = DataDir::new();
    if !keeps_notes(&data) {
        return;
    }
    for id in ["a", "b"] {
        data.put(&format!("listing-{id}.txt"), STAGES[0].good);
    }
    let chain = Chain::start(&data);
    let mut traces = BTreeSet::new();
    for service in ["text-to-csv", "csv-to-json", "api"] {
        let spans = chain.collector.wait_for(service, 2);
        let ids: BTreeSet<_> = spans.into_iter().map(|seen| seen.span.trace_id).collect();
        assert_eq!(ids.len(), 2, "{service}");
        traces.extend(ids);
    }
    assert_eq!(traces.len(), 2);
}

/// One that is not sampled at its first stage is at no other.
#[test]
fn the_standard_variables_are_obeyed_and_a_batch_is_sampled_as_a_whole() {
    let (data, collector, api) = (DataDir::new(), Collector::start(), Recorder::start());
    if !keeps_notes(&data) {
        return;
    }
    data.put("listing.txt", STAGES[0].good);
    let converter = |name: &str| {
        let mut command = stage(name, data.path(), &["--once"]);
        collector.of(&mut command).env("OTEL_SERVICE_NAME", "mine");
        command
    };
    run(converter("text-to-csv").env("OTEL_TRACES_SAMPLER", "always_off"));
    run(&mut converter("csv-to-json"));
    let to = ["--once", "--api-url", &api.url(), "--trace-documents", "1"];
    run(collector.of(&mut stage("json-to-api", data.path(), &to)));
    assert_eq!((api.count(), api.posts()[0].traceparent.clone()), (1, None));
    assert_eq!(collector.spans().len(), 0);

    data.put("listing.csv", STAGES[1].good);
    // A header that the collector's recorder keeps.
    run(converter("csv-to-json").env("OTEL_EXPORTER_OTLP_HEADERS", "idempotency-key=mine"));
    assert_eq!(collector.wait_for("mine", 1).len(), 1);
    assert_eq!(collector.0.posts()[0].key, "mine");
}
