//! CSV of ours and of others, one case a file in `test_data/`: the `.json` beside a `.csv` holds what comes of it, the
//! `.reasons` the lines rejected, with their numbers and why.

#[path = "../../lib/records/src/testing.rs"]
mod testing;

#[test]
fn every_sample_becomes_what_lies_beside_it() {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/test_data");
    testing::assert_samples(samples, ["csv", "json"], csv_to_json::convert);
}
