//! What json-to-api counts besides what every stage does: the `pipe_post_*` metrics, and how old documents get.

use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry};
use reqwest::StatusCode;

/// The counters.
pub(crate) struct Metrics {
    requests: IntCounterVec,
    timeouts: IntCounter,
    errors: IntCounter,
    retries: IntCounter,
    duration: Histogram,
    age: Histogram,
}

impl Metrics {
    /// Makes the metrics, all at zero.
    ///
    /// # Errors
    /// The registry has metrics of these names.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let requests =
            Opts::new("pipe_post_requests_total", "POSTs by the status answered, `timeout` or `error`");
        let requests = IntCounterVec::new(requests, &["status"])?;
        let retries = IntCounter::new("pipe_post_retries_total", "POSTs that were not a document's first")?;
        let duration = HistogramOpts::new("pipe_post_duration_seconds", "One POST, whatever came of it")
            .buckets(prometheus::exponential_buckets(0.000_25, 2.0, 18)?);
        let duration = Histogram::with_opts(duration)?;
        let age = HistogramOpts::new(
            "pipe_document_age_seconds",
            "From the first sight of a document's file to the document's answer",
        )
        .buckets(prometheus::exponential_buckets(0.01, 3.0, 14)?);
        let age = Histogram::with_opts(age)?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(age.clone()))?;
        registry.register(Box::new(retries.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        Ok(Metrics {
            timeouts: requests.with_label_values(&["timeout"]),
            errors: requests.with_label_values(&["error"]),
            requests,
            retries,
            duration,
            age,
        })
    }

    /// Counts a POST that was answered.
    pub(crate) fn answered(&self, status: StatusCode, elapsed: Duration) {
        self.duration.observe(elapsed.as_secs_f64());
        self.requests.with_label_values(&[status.as_str()]).inc();
    }

    /// Counts a POST that was not answered in time.
    pub(crate) fn timed_out(&self, elapsed: Duration) {
        self.duration.observe(elapsed.as_secs_f64());
        self.timeouts.inc();
    }

    /// Counts a POST that failed to connect or was cut off.
    pub(crate) fn failed(&self, elapsed: Duration) {
        self.duration.observe(elapsed.as_secs_f64());
        self.errors.inc();
    }

    /// Counts a document about which nothing is left to do.
    pub(crate) fn document_done(&self, age: Duration) {
        self.age.observe(age.as_secs_f64());
    }

    /// Counts a POST that is not its document's first.
    pub(crate) fn retried(&self) {
        self.retries.inc();
    }
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    #[test]
    fn every_outcome_is_counted_under_its_label() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        for status in [200, 200, 503, 100, 999] {
            metrics.answered(StatusCode::from_u16(status).unwrap(), Duration::from_millis(1));
        }
        metrics.timed_out(Duration::from_secs(10));
        metrics.failed(Duration::ZERO);
        metrics.retried();
        metrics.document_done(Duration::from_millis(20));
        let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        for line in [
            "pipe_post_requests_total{status=\"200\"} 2\n",
            "pipe_post_requests_total{status=\"503\"} 1\n",
            "pipe_post_requests_total{status=\"100\"} 1\n",
            "pipe_post_requests_total{status=\"999\"} 1\n",
            "pipe_post_requests_total{status=\"timeout\"} 1\n",
            "pipe_post_requests_total{status=\"error\"} 1\n",
            "pipe_post_retries_total 1\n",
            "pipe_post_duration_seconds_count 7\n",
            "pipe_document_age_seconds_bucket{le=\"0.01\"} 0\n",
            "pipe_document_age_seconds_bucket{le=\"0.03\"} 1\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
