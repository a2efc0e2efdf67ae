//! Traces: one for each batch, through all programs, and none that anybody waits for.
//!
//! - `collector.rs`: a collector that keeps what it is sent
//! - `chain.rs`: which span is whose parent
//! - `trouble.rs`: off, away, slow, killed

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod chain;
mod collector;
mod trouble;

use end_to_end::DataDir;

/// Whether files keep what is noted of them; CI's must.
fn keeps_notes(data: &DataDir) -> bool {
    let file = std::fs::File::create(data.path().join("try")).unwrap();
    let kept = rustix::fs::fsetxattr(&file, "user.try", b"x", rustix::fs::XattrFlags::empty()).is_ok();
    assert!(kept || std::env::var_os("CI").is_none(), "CI must keep extended attributes");
    if !kept {
        eprintln!("skipped: there are no extended attributes in {}", data.path().display());
    }
    kept
}
