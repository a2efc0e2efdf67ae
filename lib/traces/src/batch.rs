//! The span of a stage's turn at a batch.

use std::num::NonZeroU32;

use opentelemetry::trace::{SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;
use url::Url;

use crate::{PostTraces, Traces, traceparent};

/// What is known of a batch when a stage begins with it.
#[derive(Debug)]
pub struct BatchStart<'a> {
    /// The batch's id, `<UUID>.<generation>`.
    pub id: &'a str,
    /// The name that its kind of files has, such as `listing.txt`.
    pub destination: &'a str,
    /// The file's own name, where it is known.
    pub file: Option<&'a str>,
    /// How long the file is.
    pub bytes: u64,
    /// What the stage before left with it: see [`BatchSpan::traceparent`].
    pub parent: Option<&'a str>,
}

/// A stage's turn at a batch. Clones are one span; it ends with [`end`](Self::end), or with the last of them.
#[derive(Debug, Clone)]
pub struct BatchSpan {
    context: Context,
    tracer: SdkTracer,
}

impl Traces {
    /// Begins the span of a turn at a batch.
    pub fn batch(&self, batch: &BatchStart<'_>) -> BatchSpan {
        let size = i64::try_from(batch.bytes).unwrap_or(i64::MAX);
        let mut attributes = vec![
            KeyValue::new("messaging.system", "k8s-pipe"),
            KeyValue::new("messaging.operation.name", "process"),
            KeyValue::new("messaging.operation.type", "process"),
            KeyValue::new("messaging.destination.name", batch.destination.to_owned()),
            KeyValue::new("messaging.message.id", batch.id.to_owned()),
            KeyValue::new("messaging.message.body.size", size),
        ];
        attributes.extend(batch.file.map(|file| KeyValue::new("file.name", file.to_owned())));
        let parent = batch.parent.map(traceparent::parse).unwrap_or_default();
        if !traceparent::is_valid(&parent) {
            self.ids.begin(batch.id);
        }
        let builder = self.tracer.span_builder(format!("process {}", batch.destination));
        let builder = builder.with_kind(SpanKind::Consumer).with_attributes(attributes);
        let span = self.tracer.build_with_context(builder, &parent);
        BatchSpan { context: parent.with_span(span), tracer: self.tracer.clone() }
    }
}

impl BatchSpan {
    /// What the next stage is to know, so that its span is this one's child.
    pub fn traceparent(&self) -> String {
        traceparent::format(self.context.span().span_context())
    }

    /// Notes what came of the records.
    pub fn records(&self, ok: u64, rejected: u64) {
        let count = |records| i64::try_from(records).unwrap_or(i64::MAX);
        let span = self.context.span();
        span.set_attribute(KeyValue::new("pipe.records.ok", count(ok)));
        span.set_attribute(KeyValue::new("pipe.records.rejected", count(rejected)));
    }

    /// Notes under which name the output was published.
    pub fn published(&self, file: &str) {
        self.context.span().set_attribute(KeyValue::new("pipe.published", file.to_owned()));
    }

    /// Ends the turn, in one word: `done`, `resting`, `released` and so on.
    pub fn end(&self, outcome: &'static str) {
        let span = self.context.span();
        span.set_attribute(KeyValue::new("pipe.outcome", outcome));
        span.end();
    }

    /// Ends the turn by a failure of a kind.
    pub fn fail(&self, kind: &'static str, error: String) {
        let span = self.context.span();
        span.set_attribute(KeyValue::new("error.type", kind));
        span.set_status(Status::error(error));
        self.end("failed");
    }

    /// The POSTs of its documents to `url`, which people see as `shown`: one line in so many has a span.
    pub fn posts(&self, url: &Url, shown: &str, one_in: NonZeroU32) -> PostTraces {
        PostTraces::new(self.tracer.clone(), self.context.clone(), url, shown, one_in)
    }
}
