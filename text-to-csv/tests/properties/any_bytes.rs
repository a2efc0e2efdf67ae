//! What holds for any bytes as a listing: for the properties here, and for the fuzz target `listing`.

#[path = "../../../lib/records/src/testing.rs"]
pub(crate) mod testing;

use testing::Outcome;

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
