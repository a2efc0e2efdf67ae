//! The real binary: how it starts, bears a crowd, is asked for its health, and stops.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod load;
mod program;
mod settings;
mod signals;
mod store;
mod trouble;
