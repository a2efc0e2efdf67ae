//! What the server answers where it does not do what it was asked.

use std::fmt::Display;

use serde_json::{Value, json};

use super::kind::Key;

/// A refusal as a `Status`.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    reason: &'static str,
    message: String,
}

impl Refusal {
    fn new(code: u16, reason: &'static str, message: String) -> Self {
        Self { code, reason, message }
    }

    pub(crate) fn not_found(key: &Key) -> Self {
        Self::new(404, "NotFound", format!("{} \"{}\" not found", key.plural, key.name))
    }

    pub(crate) fn already_exists(key: &Key) -> Self {
        Self::new(409, "AlreadyExists", format!("{} \"{}\" already exists", key.plural, key.name))
    }

    pub(crate) fn conflict(key: &Key, why: &str) -> Self {
        let (plural, name) = (key.plural, &key.name);
        Self::new(409, "Conflict", format!("Operation cannot be fulfilled on {plural} \"{name}\": {why}"))
    }

    pub(crate) fn invalid(key: &Key, why: &str) -> Self {
        Self::new(422, "Invalid", format!("{} \"{}\" is invalid: {why}", key.plural, key.name))
    }

    /// As a webhook says it.
    pub(crate) fn denied(webhook: &str, why: &str) -> Self {
        Self::new(422, "Invalid", format!("admission webhook \"{webhook}\" denied the request: {why}"))
    }

    pub(crate) fn bad(why: &dyn Display) -> Self {
        Self::new(400, "BadRequest", why.to_string())
    }

    pub(crate) fn expired() -> Self {
        Self::new(410, "Expired", "too old resource version".to_owned())
    }

    pub(crate) fn unknown(path: &str) -> Self {
        Self::new(404, "NotFound", format!("the server could not find the requested resource: {path}"))
    }

    /// As a fault that a test asks for.
    pub(crate) fn fault(code: u16) -> Self {
        let reason = match code {
            409 => "Conflict",
            429 => "TooManyRequests",
            503 => "ServiceUnavailable",
            _ => "InternalError",
        };
        Self::new(code, reason, "a fault of the test".to_owned())
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
            "code": self.code, "reason": self.reason, "message": self.message,
        })
    }
}
