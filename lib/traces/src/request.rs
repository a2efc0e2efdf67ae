//! The spans of a server's requests, below those of who sent them.

use http::{Method, Request};
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry_sdk::trace::Span;

use crate::{Traces, traceparent};

/// One request in hand.
#[derive(Debug)]
pub struct RequestSpan(Span);

impl Traces {
    /// Begins a request's span, where its sender traces it: no other request has one.
    pub fn request<B>(&self, request: &Request<B>) -> Option<RequestSpan> {
        let text = request.headers().get(traceparent::TRACEPARENT)?.to_str().ok()?;
        let parent = traceparent::parse(text);
        if !parent.span().span_context().is_sampled() {
            return None;
        }
        let method = method(request.method());
        let attributes = [
            KeyValue::new("http.request.method", method),
            KeyValue::new("url.path", request.uri().path().to_owned()),
        ];
        let builder = self.tracer.span_builder(if method == OTHER { "HTTP" } else { method });
        let builder = builder.with_kind(SpanKind::Server).with_attributes(attributes);
        Some(RequestSpan(self.tracer.build_with_context(builder, &parent)))
    }
}

const OTHER: &str = "_OTHER";

/// A method of the standard; clients can make up as many others as they like.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::CONNECT => "CONNECT",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::PATCH => "PATCH",
        _ => OTHER,
    }
}

impl RequestSpan {
    /// Ends it with the status that is answered.
    pub fn answered(mut self, status: u16) {
        self.0.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        if status >= 500 {
            self.0.set_attribute(KeyValue::new("error.type", status.to_string()));
            self.0.set_status(Status::error(""));
        }
    }
}
