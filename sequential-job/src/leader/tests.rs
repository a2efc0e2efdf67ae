use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::{Method, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::*;

/// An API server that has one Lease at most, and can be away.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    lease: Option<Value>,
    version: u32,
    is_away: bool,
    /// How long what was done is not answered.
    delay: Duration,
}

impl Server {
    fn client(&self) -> Client {
        let server = self.clone();
        let answer = move |request: Request<Body>| {
            let server = server.clone();
            async move {
                let (head, body) = request.into_parts();
                let sent =
                    serde_json::from_slice(&body.collect_bytes().await.unwrap()).unwrap_or(Value::Null);
                let (status, answer) = server.answer(&head.method, sent);
                let delay = server.0.lock().unwrap().delay;
                sleep(delay).await;
                let body = Body::from(serde_json::to_vec(&answer).unwrap());
                Ok::<_, Infallible>(Response::builder().status(status).body(body).unwrap())
            }
        };
        Client::new(tower::service_fn(answer), "default")
    }

    fn answer(&self, method: &Method, mut sent: Value) -> (StatusCode, Value) {
        let mut state = self.0.lock().unwrap();
        let failure = |code: StatusCode, reason: &str| {
            (code, json!({"kind": "Status", "status": "Failure", "reason": reason, "code": code.as_u16()}))
        };
        if state.is_away {
            return failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalError");
        }
        let now = state.lease.as_ref().map(|lease| lease["metadata"]["resourceVersion"].clone());
        match (method, now) {
            (&Method::GET, Some(_)) => return (StatusCode::OK, state.lease.clone().unwrap()),
            (&Method::POST, None) => {}
            (&Method::PUT, Some(now)) if sent["metadata"]["resourceVersion"] == now => {}
            (_, None) => return failure(StatusCode::NOT_FOUND, "NotFound"),
            _ => return failure(StatusCode::CONFLICT, "Conflict"),
        }
        state.version += 1;
        sent["metadata"]["resourceVersion"] = json!(state.version.to_string());
        state.lease = Some(sent.clone());
        (StatusCode::OK, sent)
    }

    fn holder(&self) -> Option<String> {
        let state = self.0.lock().unwrap();
        state.lease.as_ref().and_then(|lease| Some(lease["spec"]["holderIdentity"].as_str()?.to_owned()))
    }

    fn set_delay(&self, delay: Duration) {
        self.0.lock().unwrap().delay = delay;
    }

    fn set_away(&self, is_away: bool) {
        self.0.lock().unwrap().is_away = is_away;
    }
}

/// A candidate that works as long as it leads.
struct Controller {
    shutdown: Shutdown,
    working: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

struct Working(Arc<AtomicUsize>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Controller {
    fn start(server: &Server, identity: &str) -> Self {
        let (shutdown, working) = (Shutdown::new(), Arc::new(AtomicUsize::new(0)));
        let candidate = Candidate::new(Api::namespaced(server.client(), "here"), "lease", identity);
        let task = tokio::spawn({
            let (shutdown, working) = (shutdown.clone(), Arc::clone(&working));
            async move {
                let work = || {
                    let (shutdown, working) = (shutdown.clone(), Arc::clone(&working));
                    async move {
                        working.fetch_add(1, Ordering::SeqCst);
                        let _working = Working(working);
                        shutdown.requested().await;
                    }
                };
                candidate.lead(&shutdown, work).await;
            }
        });
        Self { shutdown, working, task }
    }

    fn is_working(&self) -> bool {
        self.working.load(Ordering::SeqCst) > 0
    }
}

async fn pass(time: Duration) {
    sleep(time).await;
}

#[tokio::test(start_paused = true)]
async fn one_of_two_leads_and_goes_on_leading() {
    let server = Server::default();
    let (one, other) = (Controller::start(&server, "one"), Controller::start(&server, "other"));
    for _ in 0..50 {
        pass(Duration::from_secs(2)).await;
        assert!(one.is_working() != other.is_working(), "one of them");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_told_to_stop_hands_over_at_once() {
    let server = Server::default();
    let one = Controller::start(&server, "one");
    pass(Duration::from_secs(1)).await;
    let other = Controller::start(&server, "other");
    pass(Duration::from_secs(10)).await;
    assert!(one.is_working() && !other.is_working());
    one.shutdown.request();
    one.task.await.unwrap();
    assert_eq!(server.holder().as_deref(), Some(""));
    pass(EVERY * 2).await;
    assert!(other.is_working());
}

#[tokio::test(start_paused = true)]
async fn who_was_killed_is_replaced_once_its_lease_is_over_by_the_others_clock() {
    let server = Server::default();
    let one = Controller::start(&server, "one");
    pass(Duration::from_secs(1)).await;
    one.task.abort();
    let other = Controller::start(&server, "other");
    pass(DURATION).await;
    assert!(!other.is_working(), "it was first seen a moment ago");
    pass(EVERY * 2).await;
    assert!(other.is_working());
}

#[tokio::test(start_paused = true)]
async fn who_cannot_renew_stops_before_another_may_begin_and_takes_it_up_again() {
    let server = Server::default();
    let one = Controller::start(&server, "one");
    pass(Duration::from_secs(5)).await;
    server.set_away(true);
    pass(RENEW_WITHIN - EVERY).await;
    assert!(one.is_working(), "a short absence is nothing");
    pass(EVERY * 2).await;
    assert!(!one.is_working());
    assert!(RENEW_WITHIN + EVERY * 2 < DURATION);
    server.set_away(false);
    pass(EVERY * 2).await;
    assert!(one.is_working());
}

#[tokio::test(start_paused = true)]
async fn who_hears_too_late_that_it_has_the_lease_does_not_begin() {
    let server = Server::default();
    // To ask and to take is a call each.
    server.set_delay(DURATION.mul_f64(0.4));
    let one = Controller::start(&server, "one");
    for _ in 0..60 {
        pass(Duration::from_secs(1)).await;
        assert!(!one.is_working(), "its lease may be another's by now");
    }
    assert_eq!(server.holder().as_deref(), Some("one"), "it was answered");
}

#[tokio::test(start_paused = true)]
async fn who_gets_no_answer_asks_again() {
    let server = Server::default();
    server.set_delay(Duration::from_secs(3600));
    let one = Controller::start(&server, "one");
    pass(Duration::from_secs(60)).await;
    server.set_delay(Duration::ZERO);
    pass(RENEW_WITHIN + EVERY * 2).await;
    assert!(one.is_working());
}

#[tokio::test(start_paused = true)]
async fn who_finds_another_in_its_place_stops_at_once() {
    let server = Server::default();
    let one = Controller::start(&server, "one");
    pass(Duration::from_secs(5)).await;
    {
        let mut state = server.0.lock().unwrap();
        let lease = state.lease.as_mut().unwrap();
        lease["spec"]["holderIdentity"] = json!("other");
        lease["metadata"]["resourceVersion"] = json!("1000");
    }
    pass(EVERY * 2).await;
    assert!(!one.is_working());
    assert_eq!(server.holder().as_deref(), Some("other"));
}
