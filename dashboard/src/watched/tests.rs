use std::time::Duration;

use super::*;

fn answer(program: &'static str, address: &str, text: &str) -> Reading {
    let answer = Answer { numbers: Numbers::parse(text), ..Answer::default() };
    Reading { program, address: address.to_owned(), at: Instant::now(), outcome: Ok(answer) }
}

/// The same readings at a time.
fn at(time: Instant, readings: Vec<Reading>) -> Vec<Reading> {
    readings.into_iter().map(|reading| Reading { at: time, ..reading }).collect()
}

fn silence(program: &'static str, address: &str) -> Reading {
    let outcome = Err("no answer in time".to_owned());
    Reading { program, address: address.to_owned(), at: Instant::now(), outcome }
}

fn program<'a>(snapshot: &'a Snapshot, name: &str) -> &'a snapshot::Program {
    snapshot.programs.iter().find(|program| program.name == name).unwrap()
}

#[test]
fn rates_are_what_all_pods_did_since_the_last_sample_and_a_restart_loses_nothing() {
    let (mut watched, start) = (Watched::new(&["text-to-csv"]), Instant::now());
    let text = |count: u32| format!("pipe_records_total{{outcome=\"ok\"}} {count}\n");
    let counts = [[100, 50], [300, 50], [10, 250]];
    let mut rates = Vec::new();
    for (second, [one, other]) in counts.into_iter().enumerate() {
        let readings = vec![answer("text-to-csv", "a", &text(one)), answer("text-to-csv", "b", &text(other))];
        watched.update(at(start + Duration::from_secs(2 * second as u64), readings));
        rates.push(program(&watched.snapshot(&Seen::default()), "text-to-csv").rate);
    }
    // What was done before the first look has no time.
    assert_eq!(rates, [0.0, 100.0, 105.0]);
    let snapshot = watched.snapshot(&Seen::default());
    assert_eq!(program(&snapshot, "text-to-csv").total, 260.0);
    assert_eq!(program(&snapshot, "text-to-csv").rates, rates);
}

#[test]
fn a_stage_is_stopped_once_none_of_its_pods_answers_and_in_trouble_before() {
    let mut watched = Watched::new(&["csv-to-json"]);
    let mut state = |readings| {
        watched.update(readings);
        let snapshot = watched.snapshot(&Seen::default());
        let program = program(&snapshot, "csv-to-json");
        (program.state, program.reason.clone(), program.pods_up, program.pods)
    };
    let up = |address| answer("csv-to-json", address, "");
    assert_eq!(state(vec![up("a"), up("b")]), (State::Idle, None, 2, 2));
    let reason = Some("b: no answer in time".to_owned());
    assert_eq!(state(vec![up("a"), silence("csv-to-json", "b")]), (State::Trouble, reason, 1, 2));
    let both = vec![silence("csv-to-json", "a"), silence("csv-to-json", "b")];
    let reason = Some("a: no answer in time (and 1 more)".to_owned());
    assert_eq!(state(both), (State::Stopped, reason, 0, 2));
    let mut not_ready = up("a");
    if let Ok(answer) = &mut not_ready.outcome {
        answer.not_ready = Some("volume: full".to_owned());
    }
    assert_eq!(state(vec![not_ready]), (State::Trouble, Some("a: volume: full".to_owned()), 1, 1));
    assert_eq!(state(Vec::new()).0, State::Stopped);
}

#[test]
fn who_cannot_be_asked_is_unknown() {
    let snapshot = Watched::new(&["api"]).snapshot(&Seen::default());
    assert_eq!(program(&snapshot, "getdata").state, State::Unknown);
    let told = serde_json::to_string(&snapshot).unwrap();
    assert!(!told.contains("-0"), "{told}");
}

#[test]
fn each_pod_of_the_api_has_its_share_of_what_came_of_late() {
    let (mut watched, start) = (Watched::new(&["api"]), Instant::now());
    let text = |pod: &str, count: u32| format!("api_requests_total {count}\napi_info{{pod=\"{pod}\"}} 1\n");
    for (second, [one, other]) in [[1000, 0], [1030, 10]].into_iter().enumerate() {
        let readings =
            vec![answer("api", "1:1", &text("api-b", one)), answer("api", "2:1", &text("api-a", other))];
        watched.update(at(start + Duration::from_secs(second as u64), readings));
    }
    let shares = watched.snapshot(&Seen::default()).api;
    let seen: Vec<_> = shares.iter().map(|share| (share.pod.as_str(), share.requests, share.share)).collect();
    assert_eq!(seen, [("api-a", 10.0, 0.25), ("api-b", 1030.0, 0.75)]);
}

#[test]
fn ages_are_those_of_what_was_answered_of_late() {
    let (mut watched, start) = (Watched::new(&["json-to-api"]), Instant::now());
    let text = |young: u32, old: u32| {
        format!(
            "# TYPE pipe_document_age_seconds histogram\npipe_document_age_seconds_bucket{{le=\"1\"}} {young}\n\
             pipe_document_age_seconds_bucket{{le=\"9\"}} {old}\npipe_document_age_seconds_bucket{{le=\"+Inf\"}} {old}\n"
        )
    };
    watched.update(at(start, vec![answer("json-to-api", "a", &text(5000, 5000))]));
    assert!(watched.snapshot(&Seen::default()).ages.is_none(), "nothing was seen being answered");
    for second in 1..=WINDOW as u64 {
        let reading = answer("json-to-api", "a", &text(5000, 5100));
        watched.update(at(start + Duration::from_secs(second), vec![reading]));
    }
    let ages = watched.snapshot(&Seen::default()).ages.unwrap();
    assert_eq!((ages.documents, ages.p50), (100.0, 5.0));
    let later = start + Duration::from_secs(WINDOW as u64 + 1);
    watched.update(at(later, vec![answer("json-to-api", "a", &text(5000, 5100))]));
    assert!(watched.snapshot(&Seen::default()).ages.is_none(), "they left the window");
}

#[test]
fn what_is_known_is_bounded_however_long_it_is_watched_and_whoever_comes_and_goes() {
    let (mut watched, start) = (Watched::new(&["json-to-api", "api"]), Instant::now());
    let mut sizes = Vec::new();
    for second in 0..2_000_u64 {
        let count = 50_000 * second;
        let pods = (0..5).map(|pod| {
            answer("api", &format!("10.0.{second}.{pod}:9090"), &format!("api_requests_total {count}\n"))
        });
        let sender = format!("pipe_post_requests_total{{status=\"200\"}} {count}\n");
        let readings = pods.chain([answer("json-to-api", "s", &sender)]).collect();
        watched.update(at(start + Duration::from_secs(second), readings));
        sizes.push(serde_json::to_string(&watched.snapshot(&Seen::default())).unwrap().len());
    }
    let (full, last) = (sizes[HISTORY + 100], sizes[1_999]);
    assert!(last <= full + 200, "{full} bytes became {last}");
    assert!(last < 32 << 10, "{last}");
    assert_eq!(program(&watched.snapshot(&Seen::default()), "json-to-api").rate, 50_000.0);
}
