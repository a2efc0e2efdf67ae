//! What others printed, one case a file in `test_data/`: the `.csv` beside a `.txt` holds what comes of it, the `.reasons`
//! the lines rejected, with their numbers and why. Listings are of busybox 1.35 and GNU coreutils 9.1.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../lib/records/src/testing.rs"]
mod testing;

use records::pattern;

#[test]
fn every_sample_becomes_what_lies_beside_it() {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/test_data");
    testing::assert_samples(samples, ["txt", "csv"], text_to_csv::convert);
}

#[test]
fn an_access_log_of_nginx_becomes_what_lies_beside_it_by_its_pattern() {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/test_data/nginx");
    let pattern = include_str!("../test_data/nginx/pattern").trim_end().parse().unwrap();
    testing::assert_samples(samples, ["txt", "csv"], pattern::text_to_csv(pattern));
}
