//! The spans of POSTs: of some documents of a batch, below the batch's.

use std::num::NonZeroU32;

use opentelemetry::trace::{Span as _, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, Span};
use url::Url;

use crate::traceparent;

/// Which documents of a batch are traced, and what their spans have in common.
#[derive(Debug, Clone)]
pub struct PostTraces {
    tracer: SdkTracer,
    batch: Context,
    one_in: NonZeroU32,
    attributes: Vec<KeyValue>,
}

/// One POST.
#[derive(Debug)]
pub struct PostSpan(Span);

impl PostTraces {
    pub(crate) fn new(tracer: SdkTracer, batch: Context, url: &Url, shown: &str, one_in: NonZeroU32) -> Self {
        let mut attributes =
            vec![KeyValue::new("http.request.method", "POST"), KeyValue::new("url.full", shown.to_owned())];
        attributes.extend(url.host_str().map(|host| KeyValue::new("server.address", host.to_owned())));
        attributes
            .extend(url.port_or_known_default().map(|port| KeyValue::new("server.port", i64::from(port))));
        PostTraces { tracer, batch, one_in, attributes }
    }

    /// Begins the span of an attempt at the document of a line, where this line is traced: of a batch that is, the first
    /// and then every so many, with all attempts at them.
    pub fn begin(&self, line: u64, attempt: u32) -> Option<PostSpan> {
        let is_chosen = line.saturating_sub(1).is_multiple_of(u64::from(self.one_in.get()));
        if !is_chosen || !self.batch.span().span_context().is_sampled() {
            return None;
        }
        let mut attributes = self.attributes.clone();
        attributes.push(KeyValue::new("pipe.line", i64::try_from(line).unwrap_or(i64::MAX)));
        if attempt > 1 {
            attributes.push(KeyValue::new("http.request.resend_count", i64::from(attempt - 1)));
        }
        let builder = self.tracer.span_builder("POST");
        let builder = builder.with_kind(SpanKind::Client).with_attributes(attributes);
        Some(PostSpan(self.tracer.build_with_context(builder, &self.batch)))
    }
}

impl PostSpan {
    /// The header's name and value, so that the api's span is this one's child.
    pub fn header(&self) -> (&'static str, String) {
        (traceparent::TRACEPARENT, traceparent::format(self.0.span_context()))
    }

    /// Ends it with the status that was answered.
    pub fn answered(mut self, status: u16) {
        self.0.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        if status >= 400 {
            self.0.set_attribute(KeyValue::new("error.type", status.to_string()));
            self.0.set_status(Status::error(""));
        }
    }

    /// Ends it without an answer: a kind of failure.
    pub fn failed(mut self, kind: &'static str) {
        self.0.set_attribute(KeyValue::new("error.type", kind));
        self.0.set_status(Status::error(""));
    }
}
