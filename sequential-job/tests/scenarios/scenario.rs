//! A script of calls, in their order, and what they are answered.

use std::pin::pin;
use std::sync::Arc;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use kube::runtime::events::Reporter;
use kube::runtime::{reflector, watcher};
use sequential_job::controller::{Controller, Error, MANAGER};
use sequential_job::metrics::Metrics;
use serde_json::{Value, json};
use tower_test::mock::{self, Handle};

use crate::fixture::{Made, Sequence};

/// A call, and its answer.
struct Call {
    method: &'static str,
    /// How its path and query end.
    path: &'static str,
    /// What its body has among other things.
    body: Value,
    status: u16,
    answer: Value,
}

/// One pass over a sequence, with the calls that it is to make.
pub(crate) struct Scenario {
    sequence: Sequence,
    jobs: Vec<Made>,
    calls: Vec<Call>,
}

impl Scenario {
    /// A pass that sees this sequence and these Jobs.
    pub(crate) fn new(sequence: &Sequence, jobs: &[Made]) -> Self {
        Self { sequence: sequence.clone(), jobs: jobs.to_vec(), calls: Vec::new() }
    }

    pub(crate) fn expect(
        mut self,
        method: &'static str,
        path: &'static str,
        body: Value,
        answer: Value,
    ) -> Self {
        self.calls.push(Call { method, path, body, status: 200, answer });
        self
    }

    pub(crate) fn refuse(
        mut self,
        method: &'static str,
        path: &'static str,
        code: u16,
        reason: &str,
    ) -> Self {
        let answer =
            json!({"kind": "Status", "status": "Failure", "reason": reason, "message": "no", "code": code});
        self.calls.push(Call { method, path, body: Value::Null, status: code, answer });
        self
    }

    /// Makes the pass: fails where it makes another call, fewer or more.
    pub(crate) async fn run(self) -> Result<(), Error> {
        let (service, handle) = mock::pair::<Request<Body>, Response<Body>>();
        let client = Client::new(service, "default");
        let (store, mut writer) = reflector::store();
        writer.apply_watcher_event(&watcher::Event::Init);
        for job in self.jobs {
            writer.apply_watcher_event(&watcher::Event::InitApply(job.watched()));
        }
        writer.apply_watcher_event(&watcher::Event::InitDone);
        let reporter = Reporter { controller: MANAGER.to_owned(), instance: Some("test".to_owned()) };
        let metrics = Arc::new(Metrics::new(&prometheus::Registry::new()).unwrap());
        let controller = Controller::new(client, store, reporter, metrics);
        let server = tokio::spawn(answer(handle, self.calls));
        let outcome = controller.reconcile(Arc::new(self.sequence.0)).await;
        drop(controller);
        server.await.unwrap();
        outcome.map(drop)
    }
}

async fn answer(handle: Handle<Request<Body>, Response<Body>>, calls: Vec<Call>) {
    let mut handle = pin!(handle);
    for call in calls {
        let at = format!("{} {}", call.method, call.path);
        let (request, send) = handle.next_request().await.unwrap_or_else(|| panic!("no {at}"));
        let (head, body) = request.into_parts();
        let uri = head.uri.to_string();
        let path = if call.path.contains('?') { uri.as_str() } else { head.uri.path() };
        assert!(head.method == call.method && path.ends_with(call.path), "{} {uri}, not {at}", head.method);
        let bytes = body.collect_bytes().await.unwrap();
        let sent = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        assert!(has(&sent, &call.body), "{at}: {sent} has not {}", call.body);
        let body = Body::from(serde_json::to_vec(&call.answer).unwrap());
        send.send_response(Response::builder().status(call.status).body(body).unwrap());
    }
    if let Some((request, _)) = handle.next_request().await {
        panic!("one call too many: {} {}", request.method(), request.uri());
    }
}

/// Whether `sent` has all that `wanted` has.
fn has(sent: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::Object(fields) => fields.iter().all(|(name, value)| has(&sent[name], value)),
        Value::Null => true,
        other => sent == other,
    }
}
