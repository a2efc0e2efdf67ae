//! CSV with a header: csv-to-json's properties check the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../csv-to-json/tests/properties/any_bytes.rs"]
mod any_bytes;

fuzz_target!(|file: &[u8]| any_bytes::check_by_header(file));
