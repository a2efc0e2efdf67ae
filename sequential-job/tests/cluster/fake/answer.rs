//! A request to what is done with the objects.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Response};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::admission;
use super::kind::{self, Address, Key};
use super::refusal::Refusal;
use super::selector::Selector;
use super::store::{Objects, Store};
use super::watching;

type Query = HashMap<String, String>;

/// Does what a request asks for.
pub(crate) async fn answer(
    store: &Arc<Store>,
    address: &Address,
    request: Request<Body>,
    faults: impl FnOnce() -> watching::Faults,
) -> Response<Body> {
    let query = request.uri().query().unwrap_or_default();
    let query: Query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let method = request.method().as_str().to_owned();
    if method == "GET" && address.name.is_none() {
        let selector = Selector::of(address, &query);
        if query.get("watch").is_some_and(|watch| watch == "true") {
            let since =
                query.get("resourceVersion").and_then(|version| version.parse().ok()).unwrap_or_default();
            let seconds = query.get("timeoutSeconds").and_then(|seconds| seconds.parse().ok());
            let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
            return watching::watch(Arc::clone(store), selector, since, end, faults());
        }
        return respond(200, &store.with(|objects| list(objects, &selector)));
    }
    let kind = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let Ok(body) = to_bytes(request.into_body(), 4 << 20).await else {
        return refuse(&Refusal::bad(&"no body"));
    };
    let body = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&body) };
    let body = match body {
        Ok(body) => body,
        Err(error) => return refuse(&Refusal::bad(&error)),
    };
    let body = match admission::review(store, address, &method, body).await {
        Ok(body) => body,
        Err(refusal) => return refuse(&refusal),
    };
    let done = store.with(|objects| match (method.as_str(), address.key()) {
        ("POST", None) => create(objects, address, body),
        ("GET", Some(key)) => Ok((200, (*objects.find(&key)?).clone())),
        ("PUT", Some(key)) => Ok((200, (*objects.update(&key, body, address.is_status())?).clone())),
        ("PATCH", Some(key)) => patch(objects, address, &key, &kind, &query, body),
        ("DELETE", Some(key)) => delete(objects, &key, &query, body),
        _ => Err(Refusal::bad(&"no such verb here")),
    });
    done.map_or_else(|refusal| refuse(&refusal), |(code, object)| respond(code, &object))
}

fn list(objects: &Objects, selector: &Selector) -> Value {
    let kind = kind::of(selector.plural);
    let items = objects.all(selector.plural, selector.namespace.as_deref()).map(|(_, object)| object);
    let items: Vec<&Value> =
        items.map(|object| &**object).filter(|object| selector.matches(object)).collect();
    json!({
        "apiVersion": kind.group_version, "kind": format!("{}List", kind.name),
        "metadata": {"resourceVersion": objects.version.to_string()}, "items": items,
    })
}

fn create(objects: &mut Objects, address: &Address, body: Value) -> Result<(u16, Value), Refusal> {
    let key = Key::new(address.plural, address.namespace.as_deref().unwrap_or_default(), "");
    Ok((201, (*objects.create(key, body)?).clone()))
}

fn patch(
    objects: &mut Objects,
    address: &Address,
    key: &Key,
    kind: &str,
    query: &Query,
    body: Value,
) -> Result<(u16, Value), Refusal> {
    if kind.starts_with("application/apply-patch") {
        let manager = query.get("fieldManager").ok_or_else(|| Refusal::bad(&"fieldManager is required"))?;
        return Ok((200, (*objects.apply(key, manager, body, address.is_status())?).clone()));
    }
    let mut new = (*objects.find(key)?).clone();
    match kind {
        "application/merge-patch+json" => json_patch::merge(&mut new, &body),
        "application/json-patch+json" => {
            let patch: json_patch::Patch =
                serde_json::from_value(body).map_err(|error| Refusal::bad(&error))?;
            json_patch::patch(&mut new, &patch).map_err(|error| Refusal::invalid(key, &error.to_string()))?;
        }
        other => return Err(Refusal::bad(&format!("no such patch: {other}"))),
    }
    Ok((200, (*objects.update(key, new, address.is_status())?).clone()))
}

fn delete(
    objects: &mut Objects,
    key: &Key,
    query: &Query,
    mut options: Value,
) -> Result<(u16, Value), Refusal> {
    if let Some(policy) = query.get("propagationPolicy") {
        options["propagationPolicy"] = json!(policy);
    }
    let left = objects.delete(key, &options)?;
    let gone = || json!({"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Success"});
    Ok((200, left.map_or_else(gone, |object| (*object).clone())))
}

pub(crate) fn refuse(refusal: &Refusal) -> Response<Body> {
    respond(refusal.code, &refusal.to_json())
}

fn respond(code: u16, body: &Value) -> Response<Body> {
    let response = Response::builder().status(code).header(CONTENT_TYPE, "application/json");
    response.body(Body::from(body.to_string())).expect("a status and a header that are valid")
}
