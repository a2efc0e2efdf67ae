//! Volumes and APIs that mean harm: each is told clearly, blocks nothing behind it, and touches nothing outside the volume.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test ends at the first surprise, and plays the people who mean harm"
)]

mod api;
mod claims;
mod files;
mod outside;
