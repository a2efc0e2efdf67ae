//! Journals, json-to-api's journals: json-to-api's own properties check the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| json_to_api::any_bytes::journal(bytes));
