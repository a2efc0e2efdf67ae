//! The images and the Compose file, built and run by a real Docker.
//!
//! - `docker.rs`: the commands, and the images built once for all tests
//! - `images.rs`: what each image holds and refuses
//! - `project.rs`: one start of the Compose file, under a name of its own
//! - `compose.rs`: the chain in containers: scaled, stopped

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod compose;
mod docker;
mod images;
mod project;
