use std::convert::Infallible;
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{self, HeaderValue, Method, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::BodyExt;
use prometheus::IntCounter;
use serde_json::Value;
use service::Shutdown;
use tokio::time::timeout;
use tower::Service;

/// Bodies longer than this are refused, in bytes.
pub(crate) const MAX_BODY: u64 = 2 << 20;

/// How long a client may go on sending what was refused: would the connection end under it, it might never see why.
const LINGER: Duration = Duration::from_secs(5);

/// What every request is answered with, and what is noted of it.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) answer: Bytes,
    pub(crate) requests: IntCounter,
    pub(crate) shutdown: Shutdown,
}

impl Api {
    pub(crate) fn new(name: &str, requests: IntCounter, shutdown: Shutdown) -> Self {
        let name = Value::from(name);
        let answer = Bytes::from(format!(r#"{{"response":"ok","container":{name}}}"#));
        Self { answer, requests, shutdown }
    }
}

/// Whether a client that is to go elsewhere must be told by a header. HTTP/2 says so with GOAWAY.
pub(crate) fn is_http_1(version: Version) -> bool {
    version <= Version::HTTP_11
}

/// Tells a client to go elsewhere once the shutdown is requested.
pub(crate) fn say_goodbye(shutdown: &Shutdown, is_http_1: bool, response: &mut Response) {
    if is_http_1 && shutdown.is_requested() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// The api that calls itself `name`: any method on any path gets the same answer. Counts `requests`, and tells clients to
/// go elsewhere once `shutdown` is requested.
///
/// A handler without a router: there is nothing to route, and it would cost a fifth of each request.
pub fn app<B>(
    name: &str,
    requests: IntCounter,
    shutdown: Shutdown,
) -> impl Service<http::Request<B>, Response = Response, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ use<B>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    respond.with_state(Api::new(name, requests, shutdown))
}

pub(crate) async fn respond(State(api): State<Api>, request: Request) -> Response {
    api.requests.inc();
    let (head, mut body) = request.into_parts();
    let (is_head, is_http_1) = (head.method == Method::HEAD, is_http_1(head.version));
    // Not held while the body is waited for: there may be thousands of them.
    drop(head);
    if let Err(status) = read_to_end(&mut body).await {
        discard(body);
        return status.into_response();
    }
    let length = api.answer.len();
    let mut response = Response::new(if is_head { Body::empty() } else { Body::from(api.answer) });
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if is_head {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    say_goodbye(&api.shutdown, is_http_1, &mut response);
    response
}

/// An error is the status: 413 when it is too long (at once where its length is announced), 400 when it ends before its
/// end or is no valid one.
async fn read_to_end(body: &mut Body) -> Result<(), StatusCode> {
    let (announced, mut read) = (body.size_hint().lower(), 0);
    while announced.max(read) <= MAX_BODY {
        match body.frame().await {
            Some(Ok(frame)) => read += frame.data_ref().map_or(0, Bytes::len) as u64,
            Some(Err(_)) => return Err(StatusCode::BAD_REQUEST),
            None => return Ok(()),
        }
    }
    Err(StatusCode::PAYLOAD_TOO_LARGE)
}

/// Goes on reading what was refused, for a while.
pub(crate) fn discard(mut body: Body) {
    let rest = async move { while let Some(Ok(_)) = body.frame().await {} };
    tokio::spawn(timeout(LINGER, rest));
}
