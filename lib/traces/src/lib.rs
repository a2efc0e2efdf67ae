//! A batch's way as OpenTelemetry spans: one trace from `listing.txt` to its last POST, though three programs that share
//! nothing but files make it.
//!
//! A stage's span is the parent of the next stage's: its context goes along with the file that it publishes, as
//! [`BatchSpan::traceparent`], which the volume keeps beside the content. A batch whose file has none begins a trace of
//! its own, and the trace's id is the batch's: the same for each owner that the batch has, and for each of its turns, and
//! to be found in the log. Below the last stage's span are those of the POSTs that were chosen, and below these the api's.
//!
//! Off unless an endpoint is given: then nothing is made, no thread is started, and no header is sent. Spans go to the
//! collector (OTLP over HTTP, protobuf) from a thread of its own, through a queue that drops what it has no room for, so
//! that a collector that is away or slow holds up nothing. The SDK reads the standard variables: `OTEL_SERVICE_NAME`,
//! `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_BSP_*` and so on.
//!
//! It knows nothing of files, and decides nothing: what it is told it passes on, in the names of OpenTelemetry's semantic
//! conventions for messaging and HTTP.
//!
//! - here: [`TraceArgs`], [`Traces`]: its start and end
//! - [`BatchSpan`] (`batch.rs`), [`PostTraces`] (`post.rs`), [`RequestSpan`] (`request.rs`): the three kinds of spans
//! - `exporter.rs`: the way to the collector; `ids.rs`, `traceparent.rs`: which trace a span belongs to

mod batch;
mod exporter;
mod ids;
mod post;
mod request;
mod traceparent;

use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::task::spawn_blocking;
use tracing::{info, warn};

pub use batch::{BatchSpan, BatchStart};
pub use post::{PostSpan, PostTraces};
pub use request::RequestSpan;

use crate::ids::Ids;

const SETTING: &str = "--otel-exporter-otlp-endpoint";

/// What a collector is given at the end, at least and at most. The least is what is left between the end of a shutdown's
/// time and the process's, with room for the diagnostics.
const SHORTEST_STOP: Duration = Duration::from_millis(300);
const LONGEST_STOP: Duration = Duration::from_secs(2);

/// Where traces go.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct TraceArgs {
    /// The OpenTelemetry collector that spans are sent to, by OTLP over HTTP (`http://collector:4318`); none: no traces
    #[arg(long, env, value_name = "URL")]
    pub otel_exporter_otlp_endpoint: Option<String>,
}

/// The spans of one program. Clones are one.
#[derive(Debug, Clone)]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    ids: Ids,
}

impl Traces {
    /// Spans of a program that calls itself `service` where `OTEL_SERVICE_NAME` does not say otherwise; `None`: there is
    /// no endpoint.
    ///
    /// # Errors
    /// A setting cannot be used. A collector that is away is no error.
    pub async fn start(args: &TraceArgs, service: &'static str) -> anyhow::Result<Option<Self>> {
        let Some(endpoint) = &args.otel_exporter_otlp_endpoint else { return Ok(None) };
        let endpoint = exporter::endpoint(endpoint).with_context(|| format!("failed to read `{SETTING}`"))?;
        let (to, ids) = (endpoint.clone(), Ids::default());
        let generator = ids.clone();
        // The client is one that blocks, and refuses to be made on a runtime's thread.
        let provider = spawn_blocking(move || {
            let provider = SdkTracerProvider::builder()
                .with_resource(resource(service))
                .with_id_generator(generator)
                .with_batch_exporter(exporter::build(to)?);
            anyhow::Ok(provider.build())
        });
        let provider = provider.await.context("the exporter's start died")?;
        let provider = provider.with_context(|| format!("failed to set up `{SETTING}`"))?;
        info!(host = endpoint.host_str(), "traces are sent");
        let tracer = provider.tracer(service);
        Ok(Some(Traces { provider, tracer, ids }))
    }

    /// Sends what waits, as far as the collector takes it within what remains of a shutdown's time, and soon in any case.
    pub async fn stop(self, remaining: Duration) {
        let within = remaining.clamp(SHORTEST_STOP, LONGEST_STOP);
        let ended = spawn_blocking(move || self.provider.shutdown_with_timeout(within));
        // What the collector did not take was told of already.
        if !matches!(ended.await, Ok(Ok(()))) {
            warn!("not all spans could be sent before the end");
        }
    }
}

/// What is said of the program with each span; what the environment says counts more.
fn resource(service: &'static str) -> Resource {
    let mut attributes = vec![
        KeyValue::new("service.name", service),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
    ];
    if let Ok(host) = hostname::get() {
        // In a cluster it is the pod's name.
        attributes.push(KeyValue::new("service.instance.id", host.to_string_lossy().into_owned()));
    }
    let resource = Resource::builder_empty()
        .with_attributes(attributes)
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_detector(Box::new(EnvResourceDetector::new()));
    match std::env::var("OTEL_SERVICE_NAME") {
        Ok(name) if !name.is_empty() => resource.with_service_name(name),
        _ => resource,
    }
    .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_an_endpoint_there_are_no_traces() {
        assert!(Traces::start(&TraceArgs::default(), "test").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn an_endpoint_that_cannot_be_one_is_an_error_that_names_the_setting_and_no_secret() {
        for wrong in ["", "collector:4318", "ftp://collector", "http://", "s3cret"] {
            let args = TraceArgs { otel_exporter_otlp_endpoint: Some(wrong.to_owned()) };
            let error = format!("{:#}", Traces::start(&args, "test").await.unwrap_err());
            assert!(error.contains(SETTING) && !error.contains("s3cret"), "{wrong}: {error}");
        }
    }
}
