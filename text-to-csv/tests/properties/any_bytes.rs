//! What holds for any bytes as text: for the properties here, and for the fuzz targets `listing` and `pattern`.

#![allow(dead_code, reason = "a fuzz target is for one of them")]

#[path = "../../../lib/records/src/testing.rs"]
pub(crate) mod testing;

use std::sync::LazyLock;

use records::pattern::{self, Pattern};
use testing::Outcome;

/// Its groups need not take part, and hold what CSV has to quote.
const PATTERN: &str = r#"^(?<word>\S+)(?: (?<quoted>"[^"]*"))?(?<rest>.*)$"#;

/// A listing becomes records that other readers of CSV take for such, and lines that were rejected as they stood.
pub(crate) fn check(listing: &[u8]) {
    let outcome = Outcome::of(text_to_csv::convert, listing);
    #[cfg(fuzzing)]
    assert_eq!(outcome, Outcome::of(records::listing::text_to_csv_without_fast_path, listing));

    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&outcome.output[..]);
    let records: Vec<_> = reader.records().map(|record| record.unwrap()).collect();
    assert_eq!(outcome.counts.ok, records.len() as u64);
    assert!(records.iter().all(|record| record.len() == 7));

    outcome.assert_rejected_as_it_stood(listing);
    let lines = listing.split(|&byte| byte == b'\n').count() as u64;
    assert!(outcome.counts.ok + outcome.counts.rejected <= lines);
}

/// Each line becomes a record by the pattern, or was rejected as it stood; or it is blank.
pub(crate) fn check_by_pattern(text: &[u8]) {
    static CONVERT: LazyLock<Pattern> = LazyLock::new(|| PATTERN.parse().unwrap());
    let outcome = Outcome::of(pattern::text_to_csv(CONVERT.clone()), text);

    let mut reader = csv::Reader::from_reader(&outcome.output[..]);
    let records: Vec<_> = reader.records().map(|record| record.unwrap()).collect();
    assert_eq!(outcome.counts.ok, records.len() as u64);
    assert!(records.is_empty() || reader.headers().unwrap() == vec!["word", "quoted", "rest"]);

    outcome.assert_rejected_as_it_stood(text);
    let lines = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).split(|&byte| byte == b'\n');
    let is_blank = |line: &&[u8]| line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
    let accounted = outcome.counts.ok + outcome.counts.rejected;
    let not_blank = lines.clone().filter(|line| !is_blank(line)).count() as u64;
    assert!((not_blank..=lines.count() as u64).contains(&accounted));
}
