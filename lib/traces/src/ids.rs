//! Which trace a batch begins: its own id is the trace's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

/// Random ids, but for the trace that is begun next. Clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ids {
    next: Arc<Mutex<Option<TraceId>>>,
    random: RandomIdGenerator,
}

impl Ids {
    /// Has the next trace that is begun be that of a batch, `<UUID>.<generation>`: the UUID is random in the part that
    /// samplers look at.
    pub(crate) fn begin(&self, batch: &str) {
        let uuid = batch.split('.').next().unwrap_or_default().replace('-', "");
        *self.lock() = TraceId::from_hex(&uuid).ok().filter(|id| *id != TraceId::INVALID);
    }

    fn lock(&self) -> MutexGuard<'_, Option<TraceId>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        self.lock().take().unwrap_or_else(|| self.random.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        self.random.new_span_id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_begins_the_trace_of_its_id_whoever_owns_it() {
        let ids = Ids::default();
        let uuid = "0198a5c2-3b1f-7d2e-8c4a-1234567890ab";
        for generation in [1, 2] {
            ids.begin(&format!("{uuid}.{generation}"));
            assert_eq!(ids.new_trace_id().to_string(), uuid.replace('-', ""));
        }
        assert_ne!(ids.new_trace_id().to_string(), uuid.replace('-', ""), "that was used");
    }

    #[test]
    fn what_is_no_uuid_begins_a_trace_of_a_random_id() {
        let ids = Ids::default();
        for other in ["", "x", "00000000-0000-0000-0000-000000000000.1"] {
            ids.begin(other);
            assert_ne!(ids.new_trace_id(), TraceId::INVALID);
        }
    }
}
