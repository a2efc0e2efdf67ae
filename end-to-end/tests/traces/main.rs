//! Traces: one for each batch, through all programs, and none that anybody waits for.
//!
//! - `collector.rs`: a collector that keeps what it is sent
//! - `chain.rs`: which span is whose parent
//! - `trouble.rs`: off, away, slow, killed

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod chain;
mod collector;
mod trouble;
