use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::TextEncoder;
use tokio::net::TcpListener;

use crate::{Context, Health, Limits, Pages, Server, Shutdown, bind};

/// Probes and Prometheus: few, and quick.
const LIMITS: Limits =
    Limits { connections: 64, requests: 64, idle: Duration::from_secs(10), request: Duration::from_secs(10) };

/// The admin port: tells probes and Prometheus how the program does.
pub(crate) struct Admin {
    listener: TcpListener,
    router: Router,
    shutdown: Shutdown,
}

impl Admin {
    pub(crate) async fn bind(address: SocketAddr, context: &Context) -> anyhow::Result<Self> {
        let listener = bind("--admin-listen", address).await?;
        // Not the setting's: with port 0 the system chooses.
        let address = listener.local_addr().unwrap_or(address);
        tracing::info!(%address, "admin port open");
        Ok(Self { listener, router: router(context), shutdown: context.shutdown.clone() })
    }

    /// Serves until the process ends, also while it stops: liveness must not fail then.
    pub(crate) async fn serve(self) {
        Server::new(LIMITS).serve(self.listener, self.router, pending(), &self.shutdown).await;
    }
}

fn router(context: &Context) -> Router {
    let Context { health, metrics, pages, .. } = context;
    let (alive, ready, metrics, pages) = (health.clone(), health.clone(), metrics.clone(), pages.clone());
    Router::new()
        .route("/healthz", get(async move || verdict(&alive, Health::is_alive)))
        .route("/readyz", get(async move || verdict(&ready, Health::is_ready)))
        .route("/metrics", get(async move || exposition(&metrics)))
        // Looked for anew each time: the port is open before the program knows what it shows.
        .fallback_service(get(async move |uri: Uri| page(&pages, uri.path())))
}

fn verdict(health: &Health, ask: fn(&Health) -> Result<(), String>) -> Response {
    match ask(health) {
        Ok(()) => "ok\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason + "\n").into_response(),
    }
}

fn exposition(metrics: &prometheus::Registry) -> Response {
    match TextEncoder::new().encode_to_string(&metrics.gather()) {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn page(pages: &Pages, path: &str) -> Response {
    match pages.get(path) {
        Some(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use prometheus::IntCounter;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    async fn started(context: &Context) -> SocketAddr {
        let admin = Admin::bind(ANY_PORT, context).await.unwrap();
        let address = admin.listener.local_addr().unwrap();
        tokio::spawn(admin.serve());
        address
    }

    async fn get(address: SocketAddr, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    #[tokio::test]
    async fn readiness_follows_the_problems_and_names_them() {
        let context = Context::new(Shutdown::new());
        let address = started(&context).await;
        assert_eq!(get(address, "/readyz").await, (503, "starting\n".to_owned()));
        context.health.ready();
        assert_eq!(get(address, "/readyz").await, (200, "ok\n".to_owned()));
    }

    #[tokio::test]
    async fn readiness_fails_at_the_shutdown_while_liveness_stays() {
        let context = Context::new(Shutdown::new());
        let address = started(&context).await;
        context.health.ready();
        context.shutdown.request();
        assert_eq!(get(address, "/readyz").await.0, 503);
        assert_eq!(get(address, "/healthz").await, (200, "ok\n".to_owned()));
    }

    #[tokio::test]
    async fn metrics_are_shown_as_prometheus_reads_them() {
        let context = Context::new(Shutdown::new());
        let counter = IntCounter::new("sample_total", "What is counted").unwrap();
        context.metrics.register(Box::new(counter.clone())).unwrap();
        counter.inc_by(3);
        let (status, text) = get(started(&context).await, "/metrics").await;
        assert_eq!(status, 200);
        assert!(text.contains("# TYPE sample_total counter\nsample_total 3\n"), "{text}");
    }

    #[tokio::test]
    async fn without_metrics_there_is_nothing_to_show() {
        let address = started(&Context::new(Shutdown::new())).await;
        assert_eq!(get(address, "/metrics").await, (200, String::new()));
    }

    #[tokio::test]
    async fn a_page_is_made_anew_for_each_who_asks_also_where_it_came_late() {
        let context = Context::new(Shutdown::new());
        let address = started(&context).await;
        assert_eq!(get(address, "/recent").await.0, 404);
        let asked = std::sync::atomic::AtomicU32::new(0);
        let count = move || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string();
        context.pages.add("/recent", count);
        assert_eq!(get(address, "/recent").await, (200, "0".to_owned()));
        assert_eq!(get(address, "/recent?x").await, (200, "1".to_owned()));
    }

    #[tokio::test]
    async fn anything_else_is_not_found() {
        let address = started(&Context::new(Shutdown::new())).await;
        assert_eq!(get(address, "/").await.0, 404);
        assert_eq!(get(address, "/healthz/more").await.0, 404);
    }

    #[tokio::test]
    async fn an_address_in_use_is_an_error_that_names_setting_and_address() {
        let other = TcpListener::bind(ANY_PORT).await.unwrap();
        let address = other.local_addr().unwrap();
        let context = Context::new(Shutdown::new());
        let error = Admin::bind(address, &context).await.err().unwrap();
        let message = format!("{error:#}");
        assert!(message.contains(&format!("`--admin-listen {address}`")), "{message}");
        assert!(message.contains("in use"), "{message}");
    }

    #[tokio::test]
    async fn a_silent_or_dripping_client_is_dropped_and_holds_up_nobody() {
        let context = Context::new(Shutdown::new());
        let listener = TcpListener::bind(ANY_PORT).await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let limits = Limits { idle: Duration::from_millis(50), ..LIMITS };
        let (router, shutdown) = (router(&context), context.shutdown.clone());
        tokio::spawn(async move { Server::new(limits).serve(listener, router, pending(), &shutdown).await });
        client.write_all(b"GET /healthz HTTP/1.1\r\nx: ").await.unwrap();
        let mut reply = Vec::new();
        let read = client.read_to_end(&mut reply).await;
        assert!(read.is_err() || !reply.starts_with(b"HTTP/1.1 200"));

        let address = started(&context).await;
        let _silent = TcpStream::connect(address).await.unwrap();
        assert_eq!(get(address, "/healthz").await.0, 200);
    }
}
