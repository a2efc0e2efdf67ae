use std::time::Duration;

use prometheus::{
    Histogram, IntCounter, Registry, histogram_opts, register_histogram_with_registry,
    register_int_counter_vec_with_registry,
};

/// What became of documents, counted.
#[derive(Clone)]
pub(super) struct Metrics {
    stored: IntCounter,
    duplicate: IntCounter,
    refused: IntCounter,
    full: IntCounter,
    away: IntCounter,
    inserts: Histogram,
}

impl Metrics {
    /// # Errors
    /// A registry that has them already.
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let documents = register_int_counter_vec_with_registry!(
            "api_documents_total",
            "Documents received, by what became of them",
            &["outcome"],
            registry
        )?;
        let inserts = register_histogram_with_registry!(
            histogram_opts!(
                "api_insert_duration_seconds",
                "Time from a batch's insert to its commit",
                vec![0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0]
            ),
            registry
        )?;
        let outcome = |name| documents.with_label_values(&[name]);
        Ok(Self {
            stored: outcome("stored"),
            duplicate: outcome("duplicate"),
            refused: outcome("refused"),
            full: outcome("full"),
            away: outcome("away"),
            inserts,
        })
    }

    /// A batch, or a part of one, is committed.
    pub(super) fn inserted(&self, time: Duration) {
        self.inserts.observe(time.as_secs_f64());
    }

    /// So many new documents are committed, and so many that were known.
    pub(super) fn committed(&self, stored: usize, duplicate: usize) {
        self.stored.inc_by(stored as u64);
        self.duplicate.inc_by(duplicate as u64);
    }

    /// A body that is no JSON, or none for the database.
    pub(super) fn refused(&self) {
        self.refused.inc();
    }

    /// There was no room for a document.
    pub(super) fn full(&self) {
        self.full.inc();
    }

    /// The database was away for so many.
    pub(super) fn away(&self, documents: usize) {
        self.away.inc_by(documents as u64);
    }
}
