//! One of the tasks that POST documents: one connection, one document at a time.

use std::error::Error;
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use stage::Pulse;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::backoff;
use crate::board::Board;
use crate::client::{Client, Failure};
use crate::connection::{Connection, Reply};
use crate::key::Keys;
use crate::ledger::{Document, Refusal};
use crate::metrics::Metrics;
use crate::print::{Printer, one_line};
use crate::report::Report;
use crate::source;
use crate::verdict::Verdict;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const AGENT: HeaderValue = HeaderValue::from_static(concat!("json-to-api/", env!("CARGO_PKG_VERSION")));
/// So much of a reply is quoted as a reason.
const QUOTED: usize = 200;

/// What all senders share, from batch to batch.
pub(crate) struct Tools {
    pub(crate) client: Client,
    pub(crate) metrics: Metrics,
    pub(crate) report: Report,
    /// `None`: nothing is printed.
    pub(crate) printer: Option<Printer>,
}

/// What the senders of one batch share.
pub(crate) struct Job {
    pub(crate) tools: Arc<Tools>,
    pub(crate) board: Board,
    pub(crate) input: File,
    /// What every idempotency key of the batch begins with.
    pub(crate) key: String,
    pub(crate) pulse: Pulse,
}

/// A sender at work.
pub(crate) struct Sender {
    job: Arc<Job>,
    connection: Option<Connection>,
    /// A connection that another sender left has been asked for.
    has_asked: bool,
    users: watch::Receiver<Arc<HeaderMap>>,
    /// All headers; the key is replaced for each document.
    headers: HeaderMap,
    keys: Keys,
    /// The body of the last reply.
    reply: Vec<u8>,
    random: fastrand::Rng,
}

impl Sender {
    /// A sender that has no connection yet; `users` are the headers that the user wants sent along.
    pub(crate) fn new(job: Arc<Job>, mut users: watch::Receiver<Arc<HeaderMap>>) -> Self {
        let headers = headers(&job, &users.borrow_and_update());
        let keys = Keys::new(&job.key);
        let (reply, random) = (Vec::new(), fastrand::Rng::new());
        Sender { job, connection: None, has_asked: false, users, headers, keys, reply, random }
    }

    /// Delivers documents until there are none any more.
    pub(crate) async fn run(mut self) {
        let job = Arc::clone(&self.job);
        while self.has_room_to_print().await
            && let Some(mut document) = job.board.next_document().await
        {
            match self.body(&mut document).await {
                Ok(body) => self.deliver(document, body).await,
                // The document stays in flight: nothing of it is noted, and the batch ends here.
                Err(error) => return job.board.fail(error),
            }
        }
        if let Some(connection) = self.connection {
            job.tools.client.leave(connection);
        }
    }

    /// Waits until what was printed is written far enough; false: the work has ended meanwhile.
    async fn has_room_to_print(&mut self) -> bool {
        let Some(printer) = &self.job.tools.printer else { return true };
        tokio::select! {
            biased;
            () = printer.room() => true,
            () = self.job.board.ended() => false,
        }
    }

    /// What to send; after a pause it is read again.
    async fn body(&mut self, document: &mut Document) -> std::io::Result<Bytes> {
        if let Some(body) = document.body.take() {
            return Ok(body);
        }
        let (job, place) = (Arc::clone(&self.job), document.place);
        tokio::task::spawn_blocking(move || source::read_again(&job.input, place))
            .await
            .map_err(std::io::Error::other)?
    }

    /// Sends a document, and notes what became of it.
    async fn deliver(&mut self, mut document: Document, body: Bytes) {
        let job = Arc::clone(&self.job);
        let mut outcome = self.attempt(&mut document, &body).await;
        if let Err(Failure::BrokenAfterUse(_)) = outcome {
            // Most likely closed by the api while nothing was on it: that is no reason to wait.
            outcome = self.attempt(&mut document, &body).await;
        }
        volume::crash_point("note an answer");
        let now = Instant::now();
        match outcome.as_ref().map(|reply| (reply, Verdict::of(reply.status))) {
            Ok((_, Verdict::Delivered)) => {
                // First, so that what is saved as answered has its block among those that are waited for.
                if let Some(printer) = &job.tools.printer {
                    printer.print(&body, &self.reply);
                }
                job.board.with(|ledger| ledger.delivered(document.place.line, now));
                job.tools.report.delivered();
            }
            Ok((reply, Verdict::Rejected)) => {
                let reason = self.reason(reply.status);
                job.tools.report.rejected(document.place.line, &reason);
                job.board.with(|ledger| ledger.refused(Refusal::new(document.place, reason), now));
            }
            Ok((reply, verdict)) => {
                let reason = self.reason(reply.status);
                self.pause(document, &reason, verdict, reply.retry_after);
            }
            Err(failure) => {
                let verdict =
                    if failure.is_misconfigured() { Verdict::Misconfigured } else { Verdict::Retry };
                self.pause(document, &chain(failure), verdict, None);
            }
        }
        job.pulse.beat();
    }

    /// POSTs a document once.
    async fn attempt(&mut self, document: &mut Document, body: &Bytes) -> Result<Reply, Failure> {
        let job = Arc::clone(&self.job);
        job.board.wait_until_looked_at().await;
        job.pulse.beat();
        document.attempts = document.attempts.saturating_add(1);
        if document.attempts > 1 {
            job.tools.metrics.retried();
        }
        let request = self.request(document.place.line, body.clone());
        let start = Instant::now();
        job.board.attempt(start);
        let limit = job.tools.client.timeout;
        let outcome = timeout(limit, self.exchange(request)).await.unwrap_or(Err(Failure::TimedOut(limit)));
        let metrics = &job.tools.metrics;
        match &outcome {
            Ok(reply) => metrics.answered(reply.status, start.elapsed()),
            Err(Failure::TimedOut(_)) => metrics.timed_out(start.elapsed()),
            Err(_) => metrics.failed(start.elapsed()),
        }
        outcome
    }

    fn request(&mut self, line: u64, body: Bytes) -> Request<Full<Bytes>> {
        // Fails only once nobody can change them any more.
        if self.users.has_changed().unwrap_or(false) {
            self.headers = headers(&self.job, &self.users.borrow_and_update());
        }
        self.headers.insert(IDEMPOTENCY_KEY, self.keys.of(line));
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.job.tools.client.target.path.clone().into();
        request.headers_mut().clone_from(&self.headers);
        request
    }

    /// Sends a request on the connection in hand, or on a new one. The connection is kept only if it can carry another.
    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Reply, Failure> {
        let mut connection = self.take_connection().await?;
        let failure = if connection.is_used() { Failure::BrokenAfterUse } else { Failure::Broken };
        volume::crash_point("write a request");
        let reply = connection.exchange(request, &mut self.reply).await.map_err(failure)?;
        self.connection = Some(connection);
        Ok(reply)
    }

    async fn take_connection(&mut self) -> Result<Connection, Failure> {
        let job = Arc::clone(&self.job);
        if let Some(mut connection) = self.connection.take()
            && connection.is_usable().await
        {
            return Ok(connection);
        }
        // Once at most: what comes after a failure is to be new.
        if !std::mem::replace(&mut self.has_asked, true)
            && let Some(connection) = job.tools.client.take_spare().await
        {
            return Ok(connection);
        }
        job.tools.client.connect().await
    }

    fn pause(&mut self, document: Document, reason: &str, verdict: Verdict, retry_after: Option<Duration>) {
        let pause = backoff::pause(document.attempts, retry_after, &mut self.random);
        match verdict {
            Verdict::Misconfigured => self.job.tools.report.misconfigured(reason),
            _ => self.job.tools.report.retry(reason),
        }
        self.job.board.with(|ledger| ledger.paused(document, Instant::now() + pause));
    }

    /// What the api said, for people.
    fn reason(&self, status: u16) -> String {
        let name =
            StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("");
        let mut quoted = Vec::new();
        one_line(self.reply[..self.reply.len().min(QUOTED)].trim_ascii(), &mut quoted);
        let quoted = String::from_utf8_lossy(&quoted);
        format!("answered {status} {name}: {quoted}").trim_end_matches([' ', ':']).to_owned()
    }
}

/// All that is sent along with a document, but for its key.
fn headers(job: &Job, users: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(users.len() + 4);
    headers.insert(HOST, job.tools.client.target.authority.clone());
    headers.insert(CONTENT_TYPE, JSON);
    if !users.contains_key(USER_AGENT) {
        headers.insert(USER_AGENT, AGENT);
    }
    for (name, value) in users {
        headers.append(name.clone(), value.clone());
    }
    headers
}

/// An error with its causes, on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
