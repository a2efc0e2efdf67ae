//! The file protocol: how batches pass from stage to stage over a shared directory, each exactly once.
//!
//! A file is *claimed* by renaming it into a private directory whose lock the kernel frees when its
//! owner dies, *committed* by naming its finished output there, and *published* by moving that
//! output back under its public name. A claim whose owner is gone is *taken over* by renaming its
//! directory: an owner that was only thought dead finds every path of its own gone. The steps, their
//! order and the syncs between them stand in `ARCHITECTURE.md`.
//!
//! What it assumes of the file system: a rename is one unit, also across a power cut, and so durable
//! once either of its directories is synced; nothing else is durable or ordered until it is synced. Of
//! ext3, ext4, XFS and tmpfs that is known. Of others (Btrfs) less is assumed: it is durable once the
//! directory that the file left is synced, and before that a cut may leave both names, the new one for
//! certain once the other directory is synced. That costs one more sync a batch there.
//! [`Volume::open`] tests what can be tested and refuses a volume that cannot carry the protocol.
//!
//! It knows nothing of records, HTTP or Kubernetes, keeps no state but the files themselves, and
//! never deletes a directory recursively. No other crate renames or deletes on the volume.
//!
//! Layout:
//! - [`Volume`] (`volume.rs`): the data directory, opened and tested (`self_test.rs`)
//! - [`Scanner`] (`scanner.rs`): what a stage can take: orphans first, then new files in their order
//! - [`Claim`] (`claim.rs`, `claim_directory.rs`): a batch's private directory: made, released, removed
//! - `take_over.rs`: how a claim without an owner gets a new one
//! - [`Batch`] (`batch.rs`): a claim at work: input, output, rejected lines, journal
//! - [`Committed`] (`committed.rs`): what is left to do after the commit
//! - `kept_names.rs`: events, which spare most looks at the data directory
//! - `complete.rs`: whether a file's writer is done
//! - `names.rs`, `publish.rs`: public names, and moving a file to one
//! - [`Draft`] (`draft.rs`): a claim without input, for what starts the chain
//! - `links.rs`: a file that a power cut left under two names
//! - `note.rs`: what a stage tells the next of a file, for traces
//! - `fs.rs`, `lease.rs`: the file-system calls of the protocol
//! - `failpoint.rs`: where tests end a process, in debug builds alone
//! - `power_cut.rs`: tests that cut the power, on a model of what a disk keeps

mod batch;
mod claim;
mod claim_directory;
mod committed;
mod complete;
mod draft;
mod error;
mod failpoint;
mod fs;
mod journal;
mod kept_names;
mod lease;
mod links;
mod names;
mod note;
mod output;
#[cfg(test)]
mod power_cut;
mod publish;
mod rejected;
mod scanner;
mod self_test;
mod take_over;
mod volume;

pub use batch::{Batch, Commit};
pub use claim::Claim;
pub use committed::{Committed, Published};
pub use draft::{Draft, Recovered};
pub use error::{Error, OpenError};
pub use failpoint::failpoint;
pub use journal::{Journal, JournalReader};
pub use kept_names::Change;
pub use names::{DEFAULT_STEM, StemError, stem};
pub use output::Output;
pub use rejected::RejectFiles;
pub use scanner::{Next, Scanner, Taken};
pub use volume::{Fallback, Volume};

/// A stage as the volume sees it: its name and the extensions it takes and gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// The stage's name, with which that of its directory below `.pipe/1/` begins.
    pub name: &'static str,
    /// What the names of the files that it takes and gives begin with: [`stem()`] reads one. Stages of one name and
    /// several stems are strangers to each other.
    pub stem: &'static str,
    /// The extension of the files it takes, without a dot; `None` for what starts the chain.
    pub input: Option<&'static str>,
    /// The extension of the files it publishes, without a dot; `None` for what ends the chain.
    pub output: Option<&'static str>,
}
