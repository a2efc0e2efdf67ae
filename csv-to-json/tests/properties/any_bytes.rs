//! What holds for any bytes as CSV: for the properties here, and for the fuzz target `csv`.

#[path = "../../../lib/records/src/testing.rs"]
pub(crate) mod testing;

use serde_json::{Map, Value};
use testing::Outcome;

/// The members of a document, in their order.
pub(crate) const NAMES: [&str; 7] = ["mod", "no", "user", "group", "usrno", "date", "file"];

/// CSV becomes documents of seven strings each, and lines that were rejected as they stood, in their order.
pub(crate) fn check(file: &[u8]) {
    let outcome = Outcome::of(csv_to_json::convert, file);
    #[cfg(fuzzing)]
    assert_eq!(outcome, Outcome::of(records::listing::csv_to_json_without_fast_path, file));

    let documents = std::str::from_utf8(&outcome.output).unwrap().lines();
    assert_eq!(outcome.counts.ok, documents.clone().count() as u64);
    for document in documents {
        let members: Map<String, Value> = serde_json::from_str(document).unwrap();
        assert!(members.len() == 7 && NAMES.iter().all(|name| members[*name].is_string()));
    }
    outcome.assert_rejected_as_it_stood(file);
}
