//! A collector that keeps the spans that it is sent.

use std::process::Command;

use end_to_end::{Recorder, Reply, wait_for};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// One span, and who sent it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) service: String,
    pub(crate) span: Span,
}

impl Seen {
    /// An attribute as text.
    pub(crate) fn attribute(&self, key: &str) -> Option<String> {
        value(&self.span.attributes, key)
    }
}

fn value(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    Some(match found.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => text.clone(),
        any_value::Value::IntValue(number) => number.to_string(),
        other => panic!("{key}: {other:?}"),
    })
}

/// A collector on a free port.
pub(crate) struct Collector(pub(crate) Recorder);

impl Collector {
    pub(crate) fn start() -> Self {
        Collector(Recorder::with("collector", |_, _| Reply::Status(200)))
    }

    /// Has a program send its spans here, soon.
    pub(crate) fn of<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", self.0.url()).env("OTEL_BSP_SCHEDULE_DELAY", "50")
    }

    /// All spans that came.
    pub(crate) fn spans(&self) -> Vec<Seen> {
        let mut seen = Vec::new();
        for post in self.0.posts() {
            let request = ExportTraceServiceRequest::decode(&post.body[..]).unwrap();
            for resource in request.resource_spans {
                let service = value(&resource.resource.unwrap().attributes, "service.name").unwrap();
                let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
                seen.extend(spans.map(|span| Seen { service: service.clone(), span }));
            }
        }
        seen
    }

    /// Waits until a program has sent so many spans.
    pub(crate) fn wait_for(&self, service: &str, count: usize) -> Vec<Seen> {
        wait_for(&format!("{count} spans of {service}"), || {
            let mut spans = self.spans();
            spans.retain(|seen| seen.service == service);
            (spans.len() >= count).then_some(spans)
        })
    }
}
