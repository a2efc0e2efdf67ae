//! The protocol through its public face.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test ends at the first surprise, and plays the people who drop files"
)]

mod compressed;
mod drafts;
mod files;
mod full;
mod fuse;
mod recovery;
mod stems;
mod support;
