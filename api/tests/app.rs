//! The app alone, without sockets: one request, one response.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, Version};
use bytes::Bytes;
use http_body_util::channel::Channel;
use prometheus::IntCounter;
use serde_json::Value;
use service::Shutdown;
use tower::ServiceExt;

const OK_BODY: &str = r#"{"response":"ok","container":"pod-1"}"#;
const MAX_BODY: usize = 2 << 20;

fn counter() -> IntCounter {
    IntCounter::new("api_requests_total", "Requests received").unwrap()
}

async fn reply(request: Request<Body>) -> Response<Body> {
    api::app("pod-1", counter(), Shutdown::new()).oneshot(request).await.unwrap()
}

async fn body(reply: Response<Body>) -> Bytes {
    to_bytes(reply.into_body(), usize::MAX).await.unwrap()
}

fn post(body: impl Into<Body>) -> Request<Body> {
    Request::post("/").body(body.into()).unwrap()
}

#[tokio::test]
async fn the_answer_is_json_with_the_name_and_nothing_of_the_request() {
    let request = Request::get("/any?path").header("x-sent", "along").header("content-type", "text/plain");
    let reply = reply(request.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.status(), StatusCode::OK);
    assert_eq!(reply.headers()["content-type"], "application/json");
    assert_eq!(reply.headers().len(), 1);
    assert_eq!(body(reply).await, OK_BODY);
}

#[tokio::test]
async fn any_method_on_any_path_gets_the_same_answer() {
    for (method, target) in [
        ("GET", "/"),
        ("POST", "/some/where?with=query"),
        ("PUT", "/%ff%00/..//"),
        ("DELETE", "http://elsewhere.example/absolute"),
        ("OPTIONS", "*"),
        ("TRACE", "/"),
        ("BREW", "/pot"),
        ("x!#$%&'*+-.^_`|~9", "/"),
    ] {
        let request = Request::builder().method(method).uri(target).body(Body::from("{}")).unwrap();
        assert_eq!(body(reply(request).await).await, OK_BODY, "{method} {target}");
    }
}

#[tokio::test]
async fn a_name_with_odd_characters_is_escaped() {
    let odd = "a\"b\\\n\u{1}ä";
    let reply = api::app(odd, counter(), Shutdown::new()).oneshot(post("")).await.unwrap();
    let read: Value = serde_json::from_slice(&body(reply).await).unwrap();
    assert_eq!(read["container"], odd);
    assert_eq!(read["response"], "ok");
}

#[tokio::test]
async fn bodies_up_to_the_limit_are_taken_and_longer_ones_are_not() {
    assert_eq!(reply(post(vec![b'x'; MAX_BODY])).await.status(), StatusCode::OK);
    let refusal = reply(post(vec![b'x'; MAX_BODY + 1])).await;
    assert_eq!(refusal.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(body(refusal).await.is_empty());
}

#[tokio::test]
async fn a_body_of_unknown_length_is_counted_while_it_comes() {
    const CHUNK: &[u8] = &[0; 64 << 10];
    for (chunks, status) in [(32, StatusCode::OK), (33, StatusCode::PAYLOAD_TOO_LARGE)] {
        let (mut sender, body) = Channel::<Bytes>::new(1);
        let sending = tokio::spawn(async move {
            for _ in 0..chunks {
                // Fails where the app has seen enough.
                let _ = sender.send_data(Bytes::from_static(CHUNK)).await;
            }
        });
        assert_eq!(reply(post(Body::new(body))).await.status(), status);
        sending.await.unwrap();
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_bad_request() {
    let (sender, body) = Channel::<Bytes, io::Error>::new(1);
    sender.abort(io::Error::other("broken off"));
    assert_eq!(reply(post(Body::new(body))).await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn every_request_is_counted() {
    let requests = counter();
    let app = api::app("pod-1", requests.clone(), Shutdown::new());
    app.clone().oneshot(post("")).await.unwrap();
    app.oneshot(post(vec![b'x'; MAX_BODY + 1])).await.unwrap();
    assert_eq!(requests.get(), 2);
}

#[tokio::test]
async fn clients_are_told_to_close_once_the_shutdown_is_requested() {
    let shutdown = Shutdown::new();
    shutdown.request();
    for (version, expected) in [(Version::HTTP_11, Some("close")), (Version::HTTP_2, None)] {
        let mut request = post("");
        *request.version_mut() = version;
        let reply = api::app("pod-1", counter(), shutdown.clone()).oneshot(request).await.unwrap();
        assert_eq!(reply.status(), StatusCode::OK);
        assert_eq!(reply.headers().get("connection").map(|value| value.to_str().unwrap()), expected);
    }
}
