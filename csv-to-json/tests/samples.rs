//! CSV of ours and of others, one case a file in `test_data/`: the `.json` beside a `.csv` holds what comes of it, the
//! `.reasons` the lines rejected, with their numbers and why. In `header/` the first row names the fields.

#[path = "../../lib/records/src/testing.rs"]
mod testing;

use records::delimited;

#[test]
fn every_sample_becomes_what_lies_beside_it() {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/test_data");
    testing::assert_samples(samples, ["csv", "json"], csv_to_json::convert);
}

#[test]
fn every_sample_with_a_header_becomes_what_lies_beside_it() {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/test_data/header");
    testing::assert_samples(samples, ["csv", "json"], delimited::csv_to_json_by_header);
}
