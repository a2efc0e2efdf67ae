//! The file protocol as a model, explored in all its interleavings.

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
