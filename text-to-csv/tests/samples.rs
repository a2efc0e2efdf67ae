//! Listings that busybox 1.35 and GNU coreutils 9.1 printed, one case a file in `test_data/`: the `.csv` beside a
//! `.txt` holds what comes of it, the `.reasons` the lines rejected, with their numbers and why.

#[path = "../../lib/records/src/testing.rs"]
mod testing;

#[test]
fn every_sample_becomes_what_lies_beside_it() {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/test_data");
    testing::assert_samples(samples, ["txt", "csv"], text_to_csv::convert);
}
