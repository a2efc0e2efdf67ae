//! Text by a pattern: text-to-csv's properties check the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../text-to-csv/tests/properties/any_bytes.rs"]
mod any_bytes;

fuzz_target!(|file: &[u8]| any_bytes::check_by_pattern(file));
