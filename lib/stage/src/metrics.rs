//! What a stage counts: the `pipe_*` metrics that each of the three has.

use std::time::{Duration, Instant};

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use records::Counts;

use crate::gauges::Inbox;
use crate::oldest::Oldest;

pub(crate) struct Metrics {
    batches: IntCounter,
    ok: IntCounter,
    rejected: IntCounter,
    bytes_in: IntCounter,
    bytes_out: IntCounter,
    duration: Histogram,
    inbox: IntGauge,
    resting: IntGauge,
    oldest: Oldest,
}

impl Metrics {
    /// Makes the metrics of a stage, all at zero.
    pub(crate) fn register(registry: &Registry, stage: &str) -> prometheus::Result<Self> {
        let opts = |name, help| Opts::new(name, help).const_label("stage", stage);
        let batches = IntCounter::with_opts(opts("pipe_batches_total", "Batches published"))?;
        let records = opts("pipe_records_total", "Records read, by what became of them");
        let records = IntCounterVec::new(records, &["outcome"])?;
        let bytes = opts("pipe_bytes_total", "Bytes of the batches' inputs and outputs");
        let bytes = IntCounterVec::new(bytes, &["direction"])?;
        let inbox = IntGauge::with_opts(opts("pipe_inbox_files", "Files waiting at the last look"))?;
        let duration =
            HistogramOpts::new("pipe_batch_duration_seconds", "From a batch's claim to its publication")
                .buckets(prometheus::exponential_buckets(0.001, 4.0, 12)?);
        let duration = Histogram::with_opts(duration)?;
        registry.register(Box::new(batches.clone()))?;
        registry.register(Box::new(records.clone()))?;
        registry.register(Box::new(bytes.clone()))?;
        let resting =
            opts("pipe_resting_batches", "Batches whose last documents wait while others have their turn");
        let resting = IntGauge::with_opts(resting)?;
        let oldest = Oldest::new(stage)?;
        registry.register(Box::new(inbox.clone()))?;
        registry.register(Box::new(oldest.clone()))?;
        registry.register(Box::new(resting.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        Ok(Metrics {
            batches,
            ok: records.with_label_values(&["ok"]),
            rejected: records.with_label_values(&["rejected"]),
            bytes_in: bytes.with_label_values(&["in"]),
            bytes_out: bytes.with_label_values(&["out"]),
            duration,
            inbox,
            resting,
            oldest,
        })
    }

    /// Counts a batch that was published.
    pub(crate) fn batch(&self, counts: Counts, bytes: Bytes, elapsed: Duration) {
        self.batches.inc();
        self.ok.inc_by(counts.ok);
        self.rejected.inc_by(counts.rejected);
        self.bytes_in.inc_by(bytes.input);
        self.bytes_out.inc_by(bytes.output);
        self.duration.observe(elapsed.as_secs_f64());
    }

    /// Says how many files wait, and how many batches rest.
    pub(crate) fn waiting(&self, files: usize, resting: usize) {
        let gauge = |count| i64::try_from(count).unwrap_or(i64::MAX);
        self.inbox.set(gauge(files));
        self.resting.set(gauge(resting));
    }

    /// What is said of the files that wait.
    pub(crate) fn inbox(&self) -> Inbox {
        Inbox { files: self.inbox.clone(), oldest: self.oldest.clone() }
    }

    /// Says since when the file waits that waits longest.
    pub(crate) fn oldest(&self, since: Option<Instant>) {
        self.oldest.set(since);
    }
}

/// The sizes of a batch's two files.
#[derive(Clone, Copy)]
pub(crate) struct Bytes {
    pub(crate) input: u64,
    pub(crate) output: u64,
}
