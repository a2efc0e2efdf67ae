//! How long the file waits that waits longest, told when it is asked for: it grows also while nobody looks for files.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, Opts};

/// The metric `pipe_oldest_waiting_seconds`. Clones are one.
#[derive(Clone)]
pub(crate) struct Oldest {
    gauge: Gauge,
    since: Arc<Mutex<Option<Instant>>>,
}

impl Oldest {
    pub(crate) fn new(stage: &str) -> prometheus::Result<Self> {
        let help = "How long this process has seen the oldest file waiting that waited at the last look; 0: none does";
        let opts = Opts::new("pipe_oldest_waiting_seconds", help).const_label("stage", stage);
        Ok(Oldest { gauge: Gauge::with_opts(opts)?, since: Arc::default() })
    }

    /// Says since when it waits; `None`: nothing waits.
    pub(crate) fn set(&self, since: Option<Instant>) {
        self.update(|_| since);
    }

    /// Says it anew, knowing what was said last.
    pub(crate) fn update(&self, since: impl FnOnce(Option<Instant>) -> Option<Instant>) {
        let mut last = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        *last = since(*last);
    }
}

impl Collector for Oldest {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        self.gauge.set(since.map_or(0.0, |since| since.elapsed().as_secs_f64()));
        self.gauge.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_grows_without_another_look_and_is_0_where_nothing_waits() {
        let oldest = Oldest::new("test").unwrap();
        let value = || oldest.collect()[0].get_metric()[0].get_gauge().get_value();
        assert_eq!(value(), 0.0);
        oldest.set(Instant::now().checked_sub(Duration::from_secs(60)));
        let first = value();
        assert!(first >= 60.0, "{first}");
        assert!(value() > first);
        oldest.set(None);
        assert_eq!(value(), 0.0);
    }
}
