//! What a page is told: all that there is to know, of bounded size, so that a page needs no memory of its own.

use serde::Serialize;

use crate::recent::Recent;

/// The flow at one time.
#[derive(Debug, Serialize)]
pub(crate) struct Snapshot {
    /// Milliseconds since 1970.
    pub(crate) at: u64,
    pub(crate) interval_seconds: f64,
    pub(crate) programs: Vec<Program>,
    pub(crate) api: Vec<Share>,
    pub(crate) ages: Option<Ages>,
    pub(crate) posts: Posts,
    pub(crate) recent: Recent,
    pub(crate) volume: Volume,
    pub(crate) rejected: Vec<RejectedFile>,
    pub(crate) allow_actions: bool,
}

/// A program of the flow.
#[derive(Debug, Serialize)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) input: Option<&'static str>,
    pub(crate) output: Option<&'static str>,
    pub(crate) state: State,
    /// What there is to say about the state.
    pub(crate) reason: Option<String>,
    /// How many pods answer, of how many.
    pub(crate) pods_up: usize,
    pub(crate) pods: usize,
    /// A second, at last, and in the last samples, the newest last.
    pub(crate) rate: f64,
    pub(crate) rates: Vec<f64>,
    /// Since the pods began.
    pub(crate) total: f64,
    pub(crate) records_ok: f64,
    pub(crate) records_rejected: f64,
    pub(crate) batches: f64,
    pub(crate) resting: f64,
    /// Files; none for who takes none.
    pub(crate) waiting: Option<usize>,
    pub(crate) in_hand: Option<usize>,
    pub(crate) rejected_files: Option<usize>,
    pub(crate) oldest_in_hand_seconds: Option<f64>,
    pub(crate) oldest_waiting_seconds: Option<f64>,
}

/// How a program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Nobody was named who could be asked.
    Unknown,
    /// No pod answers.
    Stopped,
    /// Some do, or some are not ready.
    Trouble,
    Working,
    Idle,
}

/// What a pod of the api had of the requests of late.
#[derive(Debug, Serialize)]
pub(crate) struct Share {
    /// What it calls itself, else its address.
    pub(crate) pod: String,
    pub(crate) address: String,
    pub(crate) is_up: bool,
    /// Since it began.
    pub(crate) requests: f64,
    pub(crate) recent_requests: f64,
    /// Of all, 0 to 1.
    pub(crate) share: f64,
}

/// How old documents were when they were answered of late, in seconds.
#[derive(Debug, Serialize)]
pub(crate) struct Ages {
    pub(crate) documents: f64,
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
}

/// What came of POSTs.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Posts {
    pub(crate) retries: f64,
    pub(crate) retries_per_second: f64,
    pub(crate) by_status: Vec<(String, f64)>,
}

/// How the volume does.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Volume {
    pub(crate) problem: Option<String>,
    pub(crate) free_bytes: Option<f64>,
}

/// A file in `rejected/`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct RejectedFile {
    pub(crate) name: String,
    pub(crate) stage: &'static str,
    pub(crate) bytes: u64,
    /// Milliseconds since 1970.
    pub(crate) modified: u64,
}
