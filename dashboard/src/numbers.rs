//! What a pod says of itself: the metrics that the page shows, out of all that `/metrics` has.

use std::collections::BTreeMap;

use prometheus_parse::{HistogramCount, Scrape, Value};

/// Statuses of POSTs, and bounds of a histogram, of which no more are kept.
const MAX_KEYS: usize = 64;

/// A pod's counters and gauges at one time. What it does not have stays at zero, or unknown.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Numbers {
    /// What it calls itself.
    pub(crate) pod: Option<String>,
    pub(crate) records_ok: f64,
    pub(crate) records_rejected: f64,
    pub(crate) batches: f64,
    pub(crate) resting: f64,
    /// POSTs by the status answered.
    pub(crate) posts: BTreeMap<String, f64>,
    pub(crate) retries: f64,
    /// Requests that the api received.
    pub(crate) requests: Option<f64>,
    /// How old documents were when they were answered: cumulative counts by upper bounds.
    pub(crate) ages: Vec<HistogramCount>,
    pub(crate) oldest_waiting_seconds: Option<f64>,
    pub(crate) volume_free_bytes: Option<f64>,
}

impl Numbers {
    /// Reads an exposition in Prometheus' text format; what it does not know it passes over.
    pub(crate) fn parse(text: &str) -> Self {
        // It fails where a line cannot be read from its source: these all are.
        let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned())));
        let mut numbers = Numbers::default();
        for sample in scrape.map(|scrape| scrape.samples).unwrap_or_default() {
            let label = |name: &str| sample.labels.get(name).unwrap_or_default().to_owned();
            match sample.value {
                Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) if value.is_finite() => {
                    numbers.add(&sample.metric, label, value);
                }
                Value::Histogram(mut buckets) if sample.metric == "pipe_document_age_seconds" => {
                    buckets.truncate(MAX_KEYS);
                    buckets.sort_by(|one, other| one.less_than.total_cmp(&other.less_than));
                    numbers.ages = buckets;
                }
                _ => {}
            }
        }
        numbers
    }

    fn add(&mut self, metric: &str, label: impl Fn(&str) -> String, value: f64) {
        match metric {
            "pipe_records_total" if label("outcome") == "ok" => self.records_ok += value,
            "pipe_records_total" => self.records_rejected += value,
            "pipe_batches_total" => self.batches += value,
            "pipe_resting_batches" => self.resting += value,
            "pipe_post_requests_total" if self.posts.len() < MAX_KEYS => {
                *self.posts.entry(label("status")).or_default() += value;
            }
            "pipe_post_retries_total" => self.retries += value,
            "api_requests_total" => self.requests = Some(self.requests.unwrap_or_default() + value),
            "api_info" => self.pod = Some(label("pod")).filter(|pod| !pod.is_empty()),
            "pipe_oldest_waiting_seconds" => self.oldest_waiting_seconds = Some(value),
            "pipe_volume_free_bytes" => self.volume_free_bytes = Some(value),
            _ => {}
        }
    }

    /// What the program has let through: records read, POSTs that were taken, requests answered.
    pub(crate) fn moved(&self) -> f64 {
        if let Some(requests) = self.requests {
            return requests;
        }
        // They are counted one by one, records only once their batch is done.
        if self.posts.is_empty() { self.records_ok + self.records_rejected } else { self.taken() }
    }

    fn taken(&self) -> f64 {
        let taken = self.posts.iter().filter(|(status, _)| status.starts_with('2'));
        taken.fold(0.0, |sum, (_, count)| sum + count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_page_shows_is_read_and_all_else_passed_over() {
        let text = "# HELP pipe_records_total Records\n# TYPE pipe_records_total counter\n\
            pipe_records_total{outcome=\"ok\",stage=\"json-to-api\"} 12\n\
            pipe_records_total{outcome=\"rejected\",stage=\"json-to-api\"} 3\n\
            # TYPE pipe_post_requests_total counter\npipe_post_requests_total{status=\"200\"} 20\n\
            pipe_post_requests_total{status=\"503\"} 5\npipe_post_requests_total{status=\"error\"} 1\n\
            # TYPE pipe_document_age_seconds histogram\n\
            pipe_document_age_seconds_bucket{le=\"1\"} 4\npipe_document_age_seconds_bucket{le=\"+Inf\"} 9\n\
            pipe_document_age_seconds_sum 20\npipe_document_age_seconds_count 9\n\
            # TYPE pipe_oldest_waiting_seconds gauge\npipe_oldest_waiting_seconds{stage=\"json-to-api\"} 1.5\n\
            unknown{a=\"b\"} 7\nnonsense\n\u{0}\n{} {}\n";
        let numbers = Numbers::parse(text);
        assert_eq!((numbers.records_ok, numbers.records_rejected), (12.0, 3.0));
        assert_eq!(numbers.moved(), 20.0);
        assert_eq!(numbers.oldest_waiting_seconds, Some(1.5));
        let ages: Vec<(f64, f64)> = numbers.ages.iter().map(|age| (age.less_than, age.count)).collect();
        assert_eq!(ages, [(1.0, 4.0), (f64::INFINITY, 9.0)]);
    }

    #[test]
    fn an_api_is_counted_by_its_requests_and_named_by_itself() {
        let numbers = Numbers::parse(
            "# TYPE api_requests_total counter\napi_requests_total 7\n# TYPE api_info gauge\napi_info{pod=\"api-1\"} 1\n",
        );
        assert_eq!((numbers.moved(), numbers.pod.as_deref()), (7.0, Some("api-1")));
    }

    #[test]
    fn a_stage_that_posts_nothing_is_counted_by_its_records() {
        let text = "pipe_records_total{outcome=\"ok\"} 2\npipe_records_total{outcome=\"rejected\"} 1\n";
        assert_eq!(Numbers::parse(text).moved(), 3.0);
        assert_eq!(Numbers::parse("pipe_records_total NaN\n"), Numbers::default());
    }

    #[test]
    fn statuses_without_end_are_not_all_kept() {
        let text: String =
            (0..10_000).map(|n| format!("pipe_post_requests_total{{status=\"{n}\"}} 1\n")).collect();
        assert_eq!(Numbers::parse(&text).posts.len(), MAX_KEYS);
    }
}
