//! The way to the collector.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use http_client::tls;
use opentelemetry_otlp::{
    OTEL_EXPORTER_OTLP_TIMEOUT, OTEL_EXPORTER_OTLP_TRACES_TIMEOUT, Protocol, RetryPolicy, SpanExporter,
    WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::SpanData;
use reqwest::blocking::Client;
use reqwest::redirect;
use tracing::{info, warn};
use url::Url;

/// For one request: spans that come meanwhile have a queue, which drops what is too much.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Where traces are sent, given where all telemetry is.
pub(crate) fn endpoint(text: &str) -> anyhow::Result<Url> {
    let mut url = Url::parse(text).context("it is not a URL of the form http://host[:port]")?;
    ensure!(matches!(url.scheme(), "http" | "https"), "it has a scheme other than http and https");
    let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

/// The exporter that the SDK's thread uses.
pub(crate) fn build(endpoint: Url) -> anyhow::Result<Exporter> {
    let timeout = timeout();
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(timeout)
        .connect_timeout(timeout)
        .tls_backend_preconfigured(tls::config(None, b"http/1.1")?)
        .build()
        .context("failed to set up an HTTP client")?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(endpoint)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(timeout)
        // What a collector does not take is lost: a stop would wait for the next attempt, too.
        .with_retry_policy(RetryPolicy::disabled())
        .build()?;
    Ok(Exporter { exporter, is_away: AtomicBool::new(false) })
}

fn timeout() -> Duration {
    let milliseconds = |name| std::env::var(name).ok()?.parse().ok();
    milliseconds(OTEL_EXPORTER_OTLP_TRACES_TIMEOUT)
        .or_else(|| milliseconds(OTEL_EXPORTER_OTLP_TIMEOUT))
        .map_or(TIMEOUT, Duration::from_millis)
}

/// An exporter that says once that the collector is away, and once that it is back.
#[derive(Debug)]
pub(crate) struct Exporter {
    exporter: SpanExporter,
    is_away: AtomicBool,
}

impl opentelemetry_sdk::trace::SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.exporter.export(batch).await;
        match &exported {
            Err(error) if !self.is_away.swap(true, Ordering::Relaxed) => {
                warn!(spans, "the collector takes no spans, they are dropped until it does: {error}");
            }
            Ok(()) if self.is_away.swap(false, Ordering::Relaxed) => info!("the collector takes spans again"),
            _ => {}
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_have_their_place_below_the_endpoint() {
        for (given, sent_to) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("http://collector:4318/", "http://collector:4318/v1/traces"),
            ("https://example.com/otlp/", "https://example.com/otlp/v1/traces"),
        ] {
            assert_eq!(endpoint(given).unwrap().as_str(), sent_to);
        }
    }
}
