use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use prometheus::IntCounter;
use serde_json::Value;
use service::Shutdown;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

/// Bodies longer than this are refused, in bytes.
const MAX_BODY: usize = 2 << 20;

/// How long a tunnel lasts at most: for a client that does not read the few bytes that go through it.
const TUNNEL_TIMEOUT: Duration = Duration::from_secs(10);

/// What every request is answered with, and what is noted of it.
#[derive(Clone)]
struct Api {
    answer: Bytes,
    requests: IntCounter,
    shutdown: Shutdown,
}

/// The api that calls itself `name`: any method on any path gets the same answer. Counts `requests`, and tells clients to
/// go elsewhere once `shutdown` is requested.
pub fn app(name: &str, requests: IntCounter, shutdown: Shutdown) -> Router {
    let name = Value::from(name);
    let answer = Bytes::from(format!(r#"{{"response":"ok","container":{name}}}"#));
    Router::new().fallback(respond).with_state(Api { answer, requests, shutdown })
}

async fn respond(State(api): State<Api>, request: Request) -> Response {
    api.requests.inc();
    let (mut head, body) = request.into_parts();
    let tunnel = head.extensions.remove::<OnUpgrade>().filter(|_| head.method == Method::CONNECT);
    let is_http_1 = head.version <= Version::HTTP_11;
    // Not held while the body is waited for: there may be thousands of them.
    drop(head);
    let mut response = match (tunnel, read_to_end(body).await) {
        (None, Ok(())) => Response::new(Body::from(api.answer)),
        (Some(tunnel), Ok(())) => {
            tokio::spawn(send_into(tunnel, api.answer));
            Response::default()
        }
        (_, Err(status)) => return status.into_response(),
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // HTTP/2 says so with GOAWAY.
    if is_http_1 && api.shutdown.is_requested() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Discards the body. An error is the status: 413 when it is too long (at once where its length is announced), 400 when
/// it ends before its end or is no valid one.
async fn read_to_end(body: Body) -> Result<(), StatusCode> {
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let mut body = Limited::new(body, MAX_BODY);
    while let Some(frame) = body.frame().await {
        frame.map_err(|error| {
            let is_too_long = error.is::<LengthLimitError>();
            if is_too_long { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST }
        })?;
    }
    Ok(())
}

/// A reply to CONNECT has no body: what follows its head is the tunnel. So the answer goes there, and the tunnel ends.
async fn send_into(tunnel: OnUpgrade, answer: Bytes) {
    // Whoever asks for a tunnel and is gone wants no answer.
    if let Ok(tunnel) = tunnel.await {
        let mut tunnel = TokioIo::new(tunnel);
        let answered = async {
            tunnel.write_all(&answer).await?;
            tunnel.shutdown().await
        };
        let _ = timeout(TUNNEL_TIMEOUT, answered).await;
    }
}
