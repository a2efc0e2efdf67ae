//! A span's context as text: W3C Trace Context, `00-<trace>-<span>-<flags>`.

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{SpanContext, TraceContextExt as _, TraceFlags};
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// The header's name, and the key of the text.
pub(crate) const TRACEPARENT: &str = "traceparent";

struct Text<'a>(&'a str);

impl Extractor for Text<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

/// A context below which spans can be made; one without a span where the text is none.
pub(crate) fn parse(text: &str) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Text(text))
}

/// Whether a context has a span.
pub(crate) fn is_valid(context: &Context) -> bool {
    context.span().span_context().is_valid()
}

pub(crate) fn format(span: &SpanContext) -> String {
    let flags = span.trace_flags() & TraceFlags::SAMPLED;
    format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in [
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        ] {
            assert_eq!(format(parse(text).span().span_context()), text);
        }
    }

    #[test]
    fn what_is_no_context_is_none() {
        for text in ["", "x", "00-0-0-0", "00-00000000000000000000000000000000-b7ad6b7169203331-01", "é--\0-"]
        {
            assert!(!is_valid(&parse(text)), "{text}");
        }
    }
}
