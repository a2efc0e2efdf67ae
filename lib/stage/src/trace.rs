//! The span of a turn at a batch: a child of that of the stage before, whose context came with the file.

use std::error::Error;
use std::iter::successors;
use std::sync::Once;

use traces::{BatchSpan, BatchStart, Traces};
use tracing::warn;
use volume::{Batch, Spec};

use crate::process::ProcessError;

pub(crate) fn begin(traces: &Traces, spec: Spec, batch: &Batch) -> BatchSpan {
    traces.batch(&BatchStart {
        id: &batch.id(),
        destination: &format!("{}.{}", spec.stem, spec.input.unwrap_or_default()),
        file: batch.source(),
        bytes: batch.input_len(),
        parent: batch.note().as_deref(),
    })
}

/// Leaves the span's context with the output, for the next stage.
pub(crate) fn hand_on(span: &BatchSpan, batch: &mut Batch) {
    static TOLD: Once = Once::new();
    if let Err(error) = batch.output.note(&span.traceparent()) {
        let error: &dyn Error = &error;
        TOLD.call_once(|| {
            warn!(error, "the volume keeps no extended attributes: each stage begins traces of its own");
        });
    }
}

/// Ends it, with what came of the turn.
pub(crate) fn end(span: &BatchSpan, outcome: Result<&'static str, &ProcessError>) {
    match outcome {
        Ok(outcome) => span.end(outcome),
        Err(ProcessError::Released) => span.end("released"),
        Err(ProcessError::Volume(error)) if error.is_fenced() => span.end("taken over"),
        Err(error) => {
            let kind = match error {
                ProcessError::Volume(_) => "volume",
                ProcessError::Input(_) => "input",
                ProcessError::Failed(_) | ProcessError::Released => "process",
            };
            let first: &(dyn Error + 'static) = error;
            let causes = successors(Some(first), |&error| error.source());
            span.fail(kind, causes.map(ToString::to_string).collect::<Vec<_>>().join(": "));
        }
    }
}
