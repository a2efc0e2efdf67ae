use std::collections::BTreeSet;

use serde_json::json;

use super::{Database, ask, count, get, post};
use crate::program::{Program, exchange};

#[test]
fn a_document_is_stored_and_a_known_key_changes_nothing() {
    for database in Database::each("storing documents") {
        let program = database.api();
        let first = post(&program, "k-1", r#"{"user":"root","n":1}"#);
        let name = first.json()["container"].clone();
        assert_eq!((first.status, first.json()), (200, json!({"response": "ok", "container": name})));
        for document in [r#"{"user":"root","n":1}"#, r#"{"user":"another"}"#] {
            let again = post(&program, "k-1", document);
            let expected = json!({"response": "ok", "container": name, "duplicate": true});
            assert_eq!((again.status, again.json()), (200, expected));
        }
        let stored = get(&program, "/documents/k-1").json();
        assert_eq!(stored["document"], json!({"user": "root", "n": 1}));
        assert_eq!((&stored["key"], &stored["pod"]), (&json!("k-1"), &name));
        let received = stored["received"].as_str().unwrap();
        let received: jiff::Timestamp = received.parse().unwrap();
        let age = jiff::Timestamp::now().duration_since(received);
        assert!(!age.is_negative() && age.as_secs() < 600, "{received}");
        assert_eq!(count(&program), 1);
    }
}

#[test]
fn a_document_without_a_key_is_another_each_time() {
    for database in Database::each("documents without keys") {
        let program = database.api();
        for _ in 0..2 {
            let reply = ask(program.address, "POST /any/path?at=all HTTP/1.1", "[1]");
            assert_eq!((reply.status, reply.json().get("duplicate")), (200, None));
        }
        assert_eq!(count(&program), 2);
    }
}

#[test]
fn what_is_no_json_is_refused_with_its_place_and_stored_nowhere() {
    for database in Database::each("bodies that are no JSON") {
        let program = database.api();
        for (body, place) in
            [("", "line 1 column 0"), ("{\"a\":1,\n}", "line 2 column 1"), ("{} {}", "column 4")]
        {
            let reply = post(&program, "k", body);
            assert_eq!(reply.status, 400);
            let reason = reply.json()["reason"].as_str().unwrap().to_owned();
            assert!(reason.ends_with(place), "{reason}");
        }
        let refused = ask(program.address, "POST / HTTP/1.1\r\nidempotency-key: \"open", "{}");
        assert_eq!(refused.status, 400);
        assert!(refused.body.contains("Idempotency-Key"), "{refused:?}");
        assert_eq!(count(&program), 0);
        assert_eq!(post(&program, "k", "{}").json().get("duplicate"), None);
    }
}

#[test]
fn any_other_request_is_answered_as_without_a_database() {
    let plain = Program::start();
    // The date moves on, and headers have no order.
    let reply = |program: &Program, request: &str| {
        let reply = exchange(program.address, request).unwrap();
        let lines = reply.lines().filter(|line| !line.starts_with("date: "));
        lines.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    for database in Database::each("other requests") {
        let program = database.api();
        for line in [
            "GET /",
            "GET /documents/",
            "GET /documents/a/b",
            "PUT /documents",
            "DELETE /documents/k",
            "OPTIONS *",
            "HEAD /",
            "BREW /documents/count",
        ] {
            let request = format!("{line} HTTP/1.1\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}");
            assert_eq!(reply(&program, &request), reply(&plain, &request), "{line}");
        }
        assert_eq!(count(&program), 0);
        let too_long = "POST / HTTP/1.1\r\ncontent-length: 2097153\r\nconnection: close\r\n\r\n";
        assert_eq!(reply(&program, too_long), reply(&plain, too_long));
    }
}

#[test]
fn without_a_database_its_routes_are_paths_like_any_other() {
    let program = Program::start();
    let expected = ask(program.address, "POST / HTTP/1.1", "no JSON").body;
    for target in ["/documents", "/documents/count", "/documents/stream", "/documents/k", "/openapi.json"] {
        assert_eq!(get(&program, target).body, expected, "{target}");
    }
}

#[test]
fn every_request_is_counted_once() {
    for database in Database::each("counting requests") {
        let program = database.api();
        for (target, method) in
            [("/documents", "GET"), ("/documents", "PUT"), ("/", "GET"), ("/documents", "POST")]
        {
            ask(program.address, &format!("{method} {target} HTTP/1.1"), "{}");
        }
        get(&program, "/documents/unknown");
        assert_eq!(program.metric("api_requests_total"), Some(5.0));
        assert_eq!(program.metric("api_documents_total{outcome=\"stored\"}"), Some(1.0));
    }
}
