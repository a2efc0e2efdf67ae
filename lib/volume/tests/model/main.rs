//! The file protocol as a model, explored in all its interleavings, with kills, owners that are only thought dead,
//! and power cuts.
//!
//! Layout:
//! - `explore.rs` the search, `toy.rs` its own tests
//! - `place.rs`, `names.rs`, `disk.rs` the volume: names, what lies under them, what a power cut leaves of it
//! - `state.rs`, `symmetry.rs` a state of the whole, and when two of them are one
//! - `steps.rs` and below: the protocol, a step a system call; `person.rs`, `faults.rs` what happens besides
//! - `invariants.rs` what must hold; `protocol.rs` ties it together
//! - `configurations.rs` where it holds; `mutations.rs` what it does not hold without
//!
//! Not in it: times (every pause can be too short), the order of files, calls that fail and those that fail only by
//! what they report, claims deferred or resting while others are worked on, files that are given back, a file system without
//! `RENAME_NOREPLACE`, and a power cut of the volume alone that workers elsewhere live through. A file holds one
//! document for the API, which refuses none.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod configurations;
mod disk;
mod explore;
mod faults;
mod invariants;
mod mutations;
mod names;
mod person;
mod place;
mod protocol;
mod state;
mod steps;
mod symmetry;
mod toy;
