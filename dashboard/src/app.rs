//! The routes: the page and its parts, the stream, what is done with rejected files.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::events::Events;
use crate::guard;
use crate::rejected::Rejected;

const PAGE: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/style.css");
const SCRIPTS: [(&str, &str); 4] = [
    ("/main.js", include_str!("page/main.js")),
    ("/flow.js", include_str!("page/flow.js")),
    ("/panels.js", include_str!("page/panels.js")),
    ("/text.js", include_str!("page/text.js")),
];

/// What the routes lead to.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) events: Events,
    pub(crate) rejected: Arc<Rejected>,
    /// It listens on loopback only.
    pub(crate) is_local: bool,
}

impl App {
    pub(crate) fn router(self) -> Router {
        let mut router = Router::new()
            .route("/", get(|| embedded("text/html; charset=utf-8", PAGE)))
            .route("/style.css", get(|| embedded("text/css; charset=utf-8", STYLE)))
            .route("/events", get(events))
            .route("/snapshot", get(snapshot))
            .route("/rejected/{name}", get(read))
            .route("/rejected/{name}/download", get(download))
            .route("/rejected/{name}/send-again", post(send_again));
        for (path, script) in SCRIPTS {
            router = router.route(path, get(|| embedded("text/javascript; charset=utf-8", script)));
        }
        let is_local = self.is_local;
        let guarded = middleware::from_fn(move |request, next| guard::guard(is_local, request, next));
        router.layer(guarded).with_state(self)
    }
}

async fn embedded(kind: &'static str, text: &'static str) -> impl IntoResponse {
    // Another version's script must not run in this one's page.
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text)
}

async fn events(State(app): State<App>) -> Response {
    match app.events.stream() {
        Some(stream) => stream.into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "too many pages are open\n").into_response(),
    }
}

async fn snapshot(State(app): State<App>) -> impl IntoResponse {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (headers, app.events.latest().to_string())
}

async fn read(State(app): State<App>, Path(name): Path<String>) -> Response {
    app.rejected.read(name).await
}

async fn download(State(app): State<App>, Path(name): Path<String>) -> Response {
    app.rejected.download(name).await
}

async fn send_again(State(app): State<App>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    if !guard::is_from_the_page(&headers) {
        return (StatusCode::FORBIDDEN, "only the page itself may ask for this\n").into_response();
    }
    app.rejected.send_again(name).await
}

#[cfg(test)]
mod tests;
