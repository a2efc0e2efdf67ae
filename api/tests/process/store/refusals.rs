use std::thread;

use super::{Database, count, get, post};

/// What PostgreSQL cannot hold, and what SQLite cannot.
const UNFIT: [&str; 4] = [r#"{"a":"\u0000"}"#, r#"["\ud800"]"#, "[1e999999]", ""];

#[test]
fn a_document_that_the_database_cannot_hold_is_refused_and_its_neighbours_are_stored() {
    for database in Database::each("unfit documents") {
        let program = database.api();
        let deep = "[".repeat(50_000) + &"]".repeat(50_000);
        let unfit: Vec<String> = match &database {
            // So that many are in one batch.
            Database::Postgres(postgres) => {
                postgres.slow_down(0.2);
                UNFIT.map(|text| if text.is_empty() { deep.clone() } else { text.to_owned() }).to_vec()
            }
            Database::Sqlite(_) => vec![deep.clone()],
        };
        let program = &program;
        thread::scope(|scope| {
            for (number, document) in unfit.iter().enumerate() {
                scope.spawn(move || {
                    let reply = post(program, &format!("unfit-{number}"), document);
                    assert_eq!(reply.status, 422, "{reply:?}");
                    assert!(!reply.json()["reason"].as_str().unwrap().is_empty());
                });
            }
            for number in 0..40 {
                scope.spawn(move || {
                    let reply = post(program, &format!("fit-{number}"), &format!(r#"{{"n":{number}}}"#));
                    assert_eq!(reply.status, 200, "{reply:?}");
                });
            }
        });
        assert_eq!(count(program), 40);
        for number in 0..40 {
            let stored = get(program, &format!("/documents/fit-{number}")).json();
            assert_eq!(stored["document"]["n"], number);
        }
    }
}

#[test]
fn what_would_be_sql_or_a_page_stays_text() {
    const HOSTILE: &str = r#"'); DROP TABLE documents; -- $1 "x" \ %27 <script>alert(1)</script>"#;
    for database in Database::each("hostile text") {
        let program = database.api();
        let document = serde_json::json!({ HOSTILE: HOSTILE, "x": 1 });
        let key = HOSTILE.replace('\\', "\\\\").replace('"', "\\\"");
        assert_eq!(post(&program, &key, &document.to_string()).status, 200);
        let encoded: String = HOSTILE.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for target in [
            format!("/documents/{encoded}"),
            format!("/documents?{encoded}={encoded}"),
            format!("/documents?x=1&{encoded}={encoded}"),
        ] {
            let reply = get(&program, &target);
            assert_eq!(reply.status, 200, "{reply:?}");
            assert!(reply.head.contains("content-type: application/json\r\n"), "{reply:?}");
            assert!(reply.head.contains("x-content-type-options: nosniff"), "{reply:?}");
            let found = reply.json();
            let found = found["documents"].get(0).unwrap_or(&found);
            assert_eq!((&found["key"], &found["document"]), (&HOSTILE.into(), &document));
        }
        let nothing = get(&program, &format!("/documents?x=1%20OR%201=1&{encoded}=%27")).json();
        assert_eq!(nothing["documents"].as_array().unwrap().len(), 0);
        assert_eq!(count(&program), 1);
    }
}
