use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;

use super::database::ReadError;

/// Seconds after which who was told to come back may do so.
const COME_BACK: HeaderValue = HeaderValue::from_static("1");

/// A reply in JSON, which no browser takes for a page, whatever a document says.
pub(super) fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The pod's name, as replies bear it.
#[derive(Clone)]
pub(super) struct Name(Arc<Value>);

impl Name {
    pub(super) fn new(name: &str) -> Self {
        Self(Arc::new(Value::from(name)))
    }

    /// Says why there is no other reply. The reason first: senders quote the beginning.
    pub(super) fn failure(&self, failure: &Failure) -> Response {
        let Failure(status, reason) = failure;
        let (reason, name) = (Value::from(reason.as_str()), &self.0);
        let body = format!(r#"{{"response":"failed","reason":{reason},"container":{name}}}"#);
        let mut response = json(*status, body);
        if *status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, COME_BACK);
        }
        response
    }

    /// As a known key is answered.
    pub(super) fn duplicate(&self) -> String {
        format!(r#"{{"response":"ok","container":{},"duplicate":true}}"#, self.0)
    }
}

/// A status and its reason.
#[derive(Debug)]
pub(super) struct Failure(pub(super) StatusCode, pub(super) String);

impl Failure {
    /// For who may come back.
    pub(super) fn busy(reason: &str) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, reason.to_owned())
    }

    pub(super) fn bad(reason: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, reason.into())
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        if let ReadError::Away(cause) = &error {
            tracing::warn!("failed to read: {cause}");
        }
        match error {
            ReadError::Invalid(reason) => Self::bad(reason),
            ReadError::Slow | ReadError::Away(_) => Self::busy(&error.to_string()),
        }
    }
}

/// What a failed request is told.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Failure)]
#[allow(dead_code, reason = "only its description is used")]
pub(super) struct FailureBody {
    /// `failed`
    response: String,
    /// Why, for people.
    reason: String,
    /// The pod that says so.
    container: String,
}
