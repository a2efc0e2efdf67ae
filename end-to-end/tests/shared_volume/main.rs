//! The chain on a real network file system that two nodes mount: GlusterFS with three bricks, the second node's clock half a
//! minute ahead.
//!
//! Layout: `place.rs` a test's directory as both nodes see it, and its books; `files.rs` files and publishers, `owners.rs` locks
//! and takeovers, `outages.rs` bricks and nodes that go away and come back, one thing at a time; `campaign.rs` all of that at
//! random, with `fleet.rs` for what runs.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod campaign;
mod files;
mod fleet;
mod outages;
mod owners;
mod place;
