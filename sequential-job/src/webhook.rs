//! The admission webhook: fills in what is not said, and refuses what cannot run, with all faults at once.
//!
//! It writes nothing, so that a dry run is as any other.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use hyper::body::Incoming;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview, Operation};
use kube::core::{DynamicObject, Status};
use rustls::ServerConfig;
use serde_json::{Value, json};
use service::{Limits, Server, Shutdown};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::certificate::Resolver;
use crate::resource::{DEFAULT_BACKOFF_LIMIT, SequentialJob};
use crate::validate::{describe, faults};

/// Reviews longer than this are refused, in bytes: an object has 1.5 MiB at most, and a review has it twice.
const MAX_REVIEW: usize = 4 << 20;

/// Serves reviews over TLS until the shutdown.
pub async fn serve(listener: TcpListener, resolver: Arc<Resolver>, shutdown: &Shutdown) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let secure = move |stream: TcpStream| {
        let acceptor = acceptor.clone();
        async move { acceptor.accept(stream).await }
    };
    let app = tower::service_fn(move |request: http::Request<Incoming>| answer(request));
    Server::new(Limits { connections: 256, requests: 256, ..Limits::default() })
        .serve_over(listener, secure, app, shutdown.requested(), shutdown)
        .await;
}

async fn answer(request: http::Request<Incoming>) -> Result<Response, Infallible> {
    router().oneshot(request.map(axum::body::Body::new)).await
}

/// Reviews at `/mutate` and `/validate`.
pub fn router() -> Router {
    Router::new()
        .route("/mutate", post(|request: Request| review(request, mutate)))
        .route("/validate", post(|request: Request| review(request, validate)))
        .layer(DefaultBodyLimit::max(MAX_REVIEW))
}

async fn review(
    request: Request,
    judge: fn(&AdmissionRequest<DynamicObject>, AdmissionResponse) -> AdmissionResponse,
) -> Response {
    let review = Json::<AdmissionReview<DynamicObject>>::from_request(request, &()).await;
    let request: AdmissionRequest<DynamicObject> = match review {
        Err(rejection) => return rejection.into_response(),
        Ok(Json(review)) => match review.try_into() {
            Ok(request) => request,
            Err(error) => return Json(AdmissionResponse::invalid(error).into_review()).into_response(),
        },
    };
    let response = AdmissionResponse::from(&request);
    Json(judge(&request, response).into_review()).into_response()
}

/// What is to be judged: nothing at a deletion, nor of what is being deleted, whose finalizer must come off.
fn object(request: &AdmissionRequest<DynamicObject>) -> Option<&DynamicObject> {
    let is_written = matches!(request.operation, Operation::Create | Operation::Update);
    request.object.as_ref().filter(|object| is_written && object.metadata.deletion_timestamp.is_none())
}

fn mutate(request: &AdmissionRequest<DynamicObject>, response: AdmissionResponse) -> AdmissionResponse {
    let Some(object) = object(request) else { return response };
    let operations = defaults(&object.data);
    if operations.is_empty() {
        return response;
    }
    let patch = serde_json::from_value(Value::Array(operations)).expect("operations of a patch");
    response.with_patch(patch).unwrap_or_else(AdmissionResponse::invalid)
}

/// What is not said of a resource, as the operations of a JSON patch.
fn defaults(resource: &Value) -> Vec<Value> {
    let template = if resource.pointer("/spec/template").is_none() {
        ("/spec/template", json!({"spec": {"restartPolicy": "Never"}}))
    } else if resource.pointer("/spec/template/spec").is_none() {
        ("/spec/template/spec", json!({"restartPolicy": "Never"}))
    } else {
        ("/spec/template/spec/restartPolicy", json!("Never"))
    };
    let all =
        [("/spec/backoffLimit", json!(DEFAULT_BACKOFF_LIMIT)), ("/spec/suspend", json!(false)), template];
    // Without a spec it is refused anyway.
    let missing =
        all.into_iter().filter(|(path, _)| resource["spec"].is_object() && resource.pointer(path).is_none());
    missing.map(|(path, value)| json!({"op": "add", "path": path, "value": value})).collect()
}

fn validate(request: &AdmissionRequest<DynamicObject>, response: AdmissionResponse) -> AdmissionResponse {
    let Some(object) = object(request) else { return response };
    // What came past the webhook once must still be given its finalizer, and lose it.
    if request.old_object.as_ref().is_some_and(|old| old.data["spec"] == object.data["spec"]) {
        return response;
    }
    let name = request.name.clone();
    let refuse = |why: String| {
        let mut refused = response.clone().deny(&why);
        refused.result =
            Status { reason: "Invalid".to_owned(), ..Status::failure(&why, "Invalid").with_code(422) };
        tracing::info!(name, namespace = request.namespace, "refused: {why}");
        refused
    };
    let value = serde_json::to_value(object).expect("what was read as JSON");
    match serde_json::from_value::<SequentialJob>(value) {
        Err(error) => refuse(error.to_string()),
        Ok(sequence) => match faults(&sequence).as_slice() {
            [] => response,
            faults => refuse(describe(faults)),
        },
    }
}

#[cfg(test)]
mod tests;
