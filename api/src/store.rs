//! Keeps documents in a database: what is answered is committed, and each key is stored once.
//!
//! Every POST goes through one queue to one writer, whose batches are as large as the load makes them. Reads have connections
//! of their own. It is one runtime's; the cores that serve only hand over and wait.
//!
//! - `post`: a POST, from its body to its answer; `key`, `json`: what it must be; `queue`: what it waits in
//! - `writer`: the task that inserts, answers, halves batches and connects anew
//! - `documents`, `search`, `stream`: the routes that read; `reply`: what all say
//! - `database`: one interface of two databases, `postgres` and `sqlite`

mod database;
mod documents;
mod json;
mod key;
mod metrics;
mod post;
mod postgres;
mod queue;
mod reply;
mod search;
mod sqlite;
mod stream;
mod writer;

use anyhow::Context as _;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::{Extension, Router};
use bytes::Bytes;
use service::{Context, Shutdown};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower::ServiceExt;
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::database::Database;
use self::documents::Reads;
use self::metrics::Metrics;
use self::post::Posts;
use self::queue::Queue;
use self::reply::Name;
use self::stream::Streams;
use self::writer::Writer;
use crate::answer::{self, Api};

const ABOUT: &str = "Any other request is answered 200; a POST's body, which must be JSON, is stored before, under its \
                     `Idempotency-Key`.";

/// A database's writer.
pub(crate) struct Store {
    writer: JoinHandle<()>,
    shutdown: Shutdown,
}

impl Store {
    /// Opens what `url` names, and connects to it in the background: until then the program is not ready. Returns what answers
    /// requests, too; the writer ends when all clones of that have.
    ///
    /// # Errors
    /// A URL that cannot be used, or a database of which another process has the only place. Never repeats the URL.
    pub(crate) fn open(url: &str, name: &str, api: Api, context: &Context) -> anyhow::Result<(Self, Router)> {
        let database = Database::open(url)?;
        let metrics = Metrics::new(&context.metrics).context("failed to register the metrics")?;
        let (queue, jobs) = Queue::new();
        let reads = Reads::new(Name::new(name), database.reader());
        let router = router(api, reads, queue, metrics.clone());
        let health = context.health.clone();
        writer::not_yet(&health);
        let writer = Writer { database, jobs, pod: name.to_owned(), health, metrics };
        let writer = tokio::spawn(writer.run());
        Ok((Self { writer, shutdown: context.shutdown.clone() }, router))
    }

    /// Waits, within the shutdown's time, until what was taken is committed.
    pub(crate) async fn close(self) {
        if timeout(self.shutdown.remaining(), self.writer).await.is_err() {
            tracing::warn!(
                "the database has not answered in time: what it was sent may be committed, and is not answered"
            );
        }
    }
}

fn router(api: Api, reads: Reads, queue: Queue, metrics: Metrics) -> Router {
    let name = reads.name.clone();
    let (routes, description) = routes(reads, api.shutdown.clone());
    // It is made of constants.
    let description = description.to_json().map(Bytes::from).unwrap_or_default();
    let posts = Posts { api: api.clone(), name, queue, metrics };
    let routes = routes
        .route_layer(Extension(description))
        .route_layer(middleware::from_fn_with_state(api, count))
        .fallback(post::catch_all)
        .with_state(posts.clone());
    Router::new().fallback(route).with_state(Paths { routes, posts })
}

/// The ways that a request can go.
#[derive(Clone)]
struct Paths {
    routes: Router,
    posts: Posts,
}

/// Only who reads is led to a route: else axum would say which methods one allows, where all are answered.
async fn route(State(Paths { routes, posts }): State<Paths>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return post::catch_all(State(posts), request).await;
    }
    let Ok(response) = routes.oneshot(request).await;
    response
}

/// The routes that read, and their description.
fn routes(reads: Reads, shutdown: Shutdown) -> (Router<Posts>, OpenApi) {
    let info = InfoBuilder::new().title("api").version(env!("CARGO_PKG_VERSION")).description(Some(ABOUT));
    let description = OpenApiBuilder::new().info(info).build();
    let streams = OpenApiRouter::new()
        .routes(routes!(stream::follow))
        .with_state(Streams::new(reads.clone(), shutdown));
    OpenApiRouter::with_openapi(description)
        .routes(routes!(documents::list))
        .routes(routes!(documents::count))
        .routes(routes!(documents::one))
        .routes(routes!(documents::openapi))
        .with_state(reads)
        .merge(streams)
        .split_for_parts()
}

/// Counts a request for a route, as the others are.
async fn count(State(api): State<Api>, request: Request, next: Next) -> Response {
    api.requests.inc();
    let is_http_1 = answer::is_http_1(request.version());
    let mut response = next.run(request).await;
    answer::say_goodbye(&api.shutdown, is_http_1, &mut response);
    response
}
