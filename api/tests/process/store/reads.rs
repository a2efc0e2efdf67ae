use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Database, get, post};
use crate::program::Program;

fn ns(page: &Value) -> Vec<u64> {
    let documents = page["documents"].as_array().unwrap();
    documents.iter().map(|stored| stored["document"]["n"].as_u64().unwrap()).collect()
}

#[test]
fn pages_go_from_the_newest_to_the_oldest_and_leave_nothing_out() {
    for database in Database::each("pages") {
        let program = database.api();
        for n in 0..25 {
            assert_eq!(post(&program, &format!("k-{n}"), &format!(r#"{{"n":{n}}}"#)).status, 200);
        }
        let first = get(&program, "/documents?limit=10").json();
        assert_eq!(ns(&first), (15..25).rev().collect::<Vec<_>>());
        // What comes now is on no later page.
        post(&program, "late", r#"{"n":99}"#);
        let (mut read, mut next) = (ns(&first), first["next"].clone());
        while let Some(after) = next.as_i64() {
            let page = get(&program, &format!("/documents?after={after}&limit=10")).json();
            read.extend(ns(&page));
            next = page["next"].clone();
        }
        assert_eq!(read, (0..25).rev().collect::<Vec<_>>());
        assert_eq!(ns(&get(&program, "/documents").json()).len(), 26);
    }
}

#[test]
fn a_page_of_long_documents_ends_early_and_goes_on_where_it_ended() {
    for database in Database::each("long documents") {
        let program = database.api();
        let filling = "x".repeat(600 << 10);
        for n in 0..4 {
            assert_eq!(
                post(&program, &format!("k-{n}"), &format!(r#"{{"n":{n},"x":"{filling}"}}"#)).status,
                200
            );
        }
        let page = get(&program, "/documents").json();
        assert_eq!(ns(&page), [3, 2]);
        let rest = get(&program, &format!("/documents?after={}", page["next"])).json();
        assert_eq!(ns(&rest), [1, 0]);
    }
}

#[test]
fn only_documents_with_the_fields_asked_for_are_found() {
    for database in Database::each("fields") {
        let program = database.api();
        let documents = [
            json!({"n": 0, "user": "root", "ok": true}),
            json!({"n": 1, "user": "root", "size": "10"}),
            json!({"n": 2, "user": "Root", "size": 10}),
            json!({"n": 3, "user": null, "in": {"user": "root"}}),
            json!(["root"]),
            json!("root"),
        ];
        for (number, document) in documents.iter().enumerate() {
            assert_eq!(post(&program, &format!("k-{number}"), &document.to_string()).status, 200);
        }
        for (query, expected) in [
            ("user=root", &[1, 0][..]),
            ("user=root&ok=true", &[0]),
            ("size=10", &[2, 1]),
            ("user=root&user=Root", &[]),
            ("user=", &[]),
            ("0=root", &[]),
            ("%24.user=root", &[]),
            ("user=ro%00ot", &[]),
        ] {
            let reply = get(&program, &format!("/documents?{query}"));
            // What no text of PostgreSQL's can hold is refused.
            let is_refused = query.contains("%00") && reply.status == 400;
            assert!(is_refused || ns(&reply.json()) == expected, "{query}: {reply:?}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_said_with_its_parameter() {
    for database in Database::each("bad queries") {
        let program = database.api();
        for (target, status, reason) in [
            ("/documents?limit=0", 400, "`limit`"),
            ("/documents?limit=1001", 400, "`limit`"),
            ("/documents?after=now", 400, "`after`"),
            ("/documents/unknown", 404, "no document"),
            ("/documents/%ff", 400, "UTF-8"),
        ] {
            let reply = get(&program, target);
            assert_eq!(reply.status, status, "{reply:?}");
            assert!(reply.json()["reason"].as_str().unwrap().contains(reason), "{reply:?}");
        }
        let many: String = (0..17).map(|n| format!("f{n}=1&")).collect();
        assert_eq!(get(&program, &format!("/documents?{many}")).status, 400);
    }
}

#[test]
fn the_description_lists_exactly_the_routes_that_there_are() {
    let database = Database::each("the description").pop().unwrap();
    let program = database.api();
    let description = get(&program, "/openapi.json").json();
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = description["paths"].as_object().unwrap();
    let expected =
        ["/documents", "/documents/count", "/documents/stream", "/documents/{key}", "/openapi.json"];
    assert_eq!(paths.keys().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(expected));
    for path in expected {
        assert_eq!(paths[path].as_object().unwrap().keys().collect::<Vec<_>>(), ["get"], "{path}");
        assert!(!is_answered_by_the_catch_all(&program, &path.replace("{key}", "k")), "{path}");
        assert!(is_answered_by_the_catch_all(&program, &format!("{path}/no/route")), "{path}");
    }
    // All that the description refers to is in it.
    let text = description.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(description.pointer(pointer).is_some(), "{pointer}");
    }
}

/// Over HTTP/1.0: a stream must end.
fn is_answered_by_the_catch_all(program: &Program, target: &str) -> bool {
    let reply = super::ask(program.address, &format!("HEAD {target} HTTP/1.0"), "");
    // Its own replies bear `nosniff`.
    !reply.head.contains("nosniff")
}
