//! What holds for any bytes as CSV: for the properties here, and for the fuzz targets `csv` and `header`.

#![allow(dead_code, reason = "a fuzz target is for one of them")]

#[path = "../../../lib/records/src/testing.rs"]
pub(crate) mod testing;

use records::delimited;
use serde_json::{Map, Value};
use testing::Outcome;

/// The members of a document, in their order.
pub(crate) const NAMES: [&str; 7] = ["mod", "no", "user", "group", "usrno", "date", "file"];

/// CSV becomes documents of seven strings each, and lines that were rejected as they stood, in their order.
pub(crate) fn check(file: &[u8]) {
    let outcome = Outcome::of(csv_to_json::convert, file);
    #[cfg(fuzzing)]
    assert_eq!(outcome, Outcome::of(records::listing::csv_to_json_without_fast_path, file));

    for members in documents(&outcome) {
        assert!(members.len() == 7 && NAMES.iter().all(|name| members[*name].is_string()));
    }
    outcome.assert_rejected_as_it_stood(file);
}

/// With a header, CSV becomes documents of strings that all have the same names, and lines that were rejected as they
/// stood, in their order. Before these stands the header, so that it names the fields of what is good among them too.
pub(crate) fn check_by_header(file: &[u8]) {
    let outcome = Outcome::of(delimited::csv_to_json_by_header, file);
    let documents = documents(&outcome);
    for members in &documents {
        assert!(members.keys().eq(documents[0].keys()) && members.values().all(Value::is_string));
    }
    outcome.assert_rejected_as_it_stood(file);
    let has_header = outcome.header.is_some();
    assert!(has_header || documents.is_empty() || outcome.rejected.is_empty());
    assert!(outcome.header.iter().all(|header| file.windows(header.len()).any(|part| part == header)));

    // At its start a mark is the file's, elsewhere the name's.
    if outcome.header.as_ref().is_some_and(|header| header.starts_with(b"\xef\xbb\xbf")) {
        return;
    }
    let again = Outcome::of(delimited::csv_to_json_by_header, &outcome.rejected_file()[..]);
    assert_eq!(again.header.is_some(), has_header && !again.rejected.is_empty());
    if let (Some(before), Some(now)) = (documents.first(), self::documents(&again).first()) {
        assert!(before.keys().eq(now.keys()));
    }
}

fn documents(outcome: &Outcome) -> Vec<Map<String, Value>> {
    let lines = std::str::from_utf8(&outcome.output).unwrap().lines();
    let documents: Vec<_> = lines.map(|document| serde_json::from_str(document).unwrap()).collect();
    assert_eq!(outcome.counts.ok, documents.len() as u64);
    documents
}
