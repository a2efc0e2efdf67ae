//! Empty: goes with the line of `lib.rs` that names it.
