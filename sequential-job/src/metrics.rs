//! What `/metrics` tells of the controller.

use std::sync::{PoisonError, RwLock};

use kube::runtime::reflector::Store;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    Histogram, HistogramTimer, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
    register_histogram_with_registry, register_int_counter_vec_with_registry,
    register_int_counter_with_registry,
};

use crate::controller::Error;
use crate::resource::{Phase, SequentialJob};

/// Passes over sequences, and the sequences themselves.
pub struct Metrics {
    reconciles: IntCounterVec,
    duration: Histogram,
    watch_failures: IntCounter,
    sequences: Sequences,
}

impl Metrics {
    /// Metrics that `registry` shows.
    ///
    /// # Errors
    /// It has them already.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let reconciles = register_int_counter_vec_with_registry!(
            "sequential_job_reconciles_total",
            "Passes over sequences, by how they ended",
            &["outcome"],
            registry
        )?;
        for outcome in ["ok", "conflict", "failed"] {
            reconciles.with_label_values(&[outcome]);
        }
        let duration = register_histogram_with_registry!(
            "sequential_job_reconcile_duration_seconds",
            "How long a pass took",
            registry
        )?;
        let watch_failures = register_int_counter_with_registry!(
            "sequential_job_watch_failures_total",
            "Watches that broke and were begun anew",
            registry
        )?;
        let sequences = Sequences::new()?;
        registry.register(Box::new(sequences.clone()))?;
        Ok(Self { reconciles, duration, watch_failures, sequences })
    }

    /// Counts the sequences of `store` until what is returned is dropped: who leads no more knows of none.
    pub(crate) fn watch(&self, store: Store<SequentialJob>) -> impl Drop + use<> {
        self.sequences.set(Some(store));
        Watching(self.sequences.clone())
    }

    pub(crate) fn watch_failed(&self) {
        self.watch_failures.inc();
    }

    pub(crate) fn start(&self) -> Timer<'_> {
        Timer { timer: self.duration.start_timer(), reconciles: &self.reconciles }
    }
}

/// A pass that is being made.
pub(crate) struct Timer<'a> {
    timer: HistogramTimer,
    reconciles: &'a IntCounterVec,
}

impl Timer<'_> {
    pub(crate) fn stop(self, error: Option<&Error>) {
        let outcome = match error {
            None => "ok",
            Some(error) if error.is_conflict() => "conflict",
            Some(_) => "failed",
        };
        self.reconciles.with_label_values(&[outcome]).inc();
        self.timer.observe_duration();
    }
}

/// Counts sequences when it is asked: they need no second book.
#[derive(Clone)]
struct Sequences {
    store: std::sync::Arc<RwLock<Option<Store<SequentialJob>>>>,
    gauge: IntGaugeVec,
}

impl Sequences {
    fn set(&self, store: Option<Store<SequentialJob>>) {
        *self.store.write().unwrap_or_else(PoisonError::into_inner) = store;
    }

    fn new() -> prometheus::Result<Self> {
        let options = Opts::new("sequential_jobs", "Sequences, by their status; on the leader only");
        Ok(Self { store: std::sync::Arc::default(), gauge: IntGaugeVec::new(options, &["status"])? })
    }
}

/// Sequences that are watched.
struct Watching(Sequences);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.set(None);
        self.0.gauge.reset();
    }
}

impl Collector for Sequences {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        if let Some(store) = &*self.store.read().unwrap_or_else(PoisonError::into_inner) {
            let all = store.state();
            let phase =
                |one: &SequentialJob| one.status.as_ref().map(|status| status.phase).unwrap_or_default();
            for wanted in Phase::ALL {
                let count = all.iter().filter(|one| phase(one) == wanted).count();
                self.gauge
                    .with_label_values(&[wanted.as_str()])
                    .set(i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
        self.gauge.collect()
    }
}
