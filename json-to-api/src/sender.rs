//! Who POSTs documents: one at a time.

use std::error::Error;
use std::fs::File;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use http::header::HeaderMap;
use stage::Pulse;
use tokio::sync::watch;

use crate::alarm::Alarm;
use crate::backoff;
use crate::board::Board;
use crate::client::{Client, Failure, Opened};
use crate::connection::Connection;
use crate::crew::Crew;
use crate::ledger::{Document, Refusal};
use crate::metrics::Metrics;
use crate::print::{Printer, one_line};
use crate::reply::{Body, Reply};
use crate::report::Report;
use crate::request::Requests;
use crate::source;
use crate::verdict::Verdict;

/// So much of a reply is quoted as a reason.
const QUOTED: usize = 200;

/// What all senders share, from batch to batch.
pub(crate) struct Tools {
    pub(crate) client: Arc<Client>,
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
    crew: Arc<Crew>,
    connection: Option<Connection>,
    /// A connection that another sender left has been asked for.
    has_asked: bool,
    users: watch::Receiver<Arc<HeaderMap>>,
    requests: Requests,
    /// The body of the last reply.
    reply: Body,
    random: fastrand::Rng,
}

impl Sender {
    /// A sender that has no connection yet; `users` are the headers that the user wants sent along.
    pub(crate) fn new(job: Arc<Job>, crew: Arc<Crew>, mut users: watch::Receiver<Arc<HeaderMap>>) -> Self {
        let requests = requests(&job, &users.borrow_and_update());
        let (reply, random) = (Body::default(), fastrand::Rng::new());
        Sender { job, crew, connection: None, has_asked: false, users, requests, reply, random }
    }

    /// Delivers documents until there are none any more.
    pub(crate) async fn run(mut self) {
        let job = Arc::clone(&self.job);
        let mut alarm = Alarm::new(Instant::now() + job.tools.client.timeout);
        let mut next = None;
        while let Some(mut document) = match next.take() {
            Some(document) => Some(document),
            None => next_document(&job).await,
        } {
            match self.body(&mut document).await {
                Ok(body) => next = self.deliver(&job, document, body, &mut alarm).await,
                // The document stays in flight: nothing of it is noted, and the batch ends here.
                Err(error) => return job.board.fail(error),
            }
        }
        if let Some(Connection::Http1(connection)) = self.connection {
            job.tools.client.leave(Opened::Http1(connection));
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

    /// Sends a document, and notes what became of it. Returns the next one, if it needs not be waited for.
    async fn deliver(
        &mut self,
        job: &Job,
        mut document: Document,
        body: Bytes,
        alarm: &mut Alarm,
    ) -> Option<Document> {
        let mut outcome = self.attempt(job, &mut document, &body, alarm).await;
        if let Err(Failure::BrokenAfterUse(_)) = outcome {
            // Most likely closed by the api while nothing was on it: that is no reason to wait.
            outcome = self.attempt(job, &mut document, &body, alarm).await;
        }
        volume::crash_point("note an answer");
        let now = Instant::now();
        job.pulse.beat(now);
        match outcome.as_ref().map(|reply| (reply, Verdict::of(reply.status))) {
            Ok((_, Verdict::Delivered)) => {
                // First, so that what is saved as answered has its block among those that are waited for.
                let printer = job.tools.printer.as_ref();
                let has_room = printer.is_none_or(|printer| printer.print(&body, self.reply.bytes()));
                job.tools.report.delivered();
                return job.board.with(|ledger| {
                    ledger.delivered(document.place.line, now);
                    if has_room { ledger.next(now).document() } else { None }
                });
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
        None
    }

    /// POSTs a document once.
    async fn attempt(
        &mut self,
        job: &Job,
        document: &mut Document,
        body: &Bytes,
        alarm: &mut Alarm,
    ) -> Result<Reply, Failure> {
        let start = job.board.wait_until_looked_at().await;
        document.attempts = document.attempts.saturating_add(1);
        if document.attempts > 1 {
            job.tools.metrics.retried();
        }
        job.pulse.beat(start);
        job.board.attempt(start);
        let limit = job.tools.client.timeout;
        // Pinned here: it is too large to be handed over.
        let exchange = pin!(self.exchange(document.place.line, body));
        let outcome = alarm.limit(start + limit, exchange).await;
        let outcome = outcome.unwrap_or(Err(Failure::TimedOut(limit)));
        let metrics = &job.tools.metrics;
        match &outcome {
            Ok(reply) => metrics.answered(reply.status, start.elapsed()),
            Err(Failure::TimedOut(_)) => metrics.timed_out(start.elapsed()),
            Err(_) => metrics.failed(start.elapsed()),
        }
        outcome
    }

    /// Sends a document on the connection in hand, or on a new one. The connection is kept only if it can carry another.
    async fn exchange(&mut self, line: u64, document: &Bytes) -> Result<Reply, Failure> {
        // Fails only once nobody can change them any more.
        if self.users.has_changed().unwrap_or(false) {
            self.requests = requests(&self.job, &self.users.borrow_and_update());
        }
        let mut connection = self.take_connection().await?;
        let was_used = connection.is_used();
        volume::crash_point("write a request");
        let outcome = connection.post(&mut self.requests, line, document, &mut self.reply).await;
        match outcome {
            Ok(reply) => {
                self.connection = Some(connection);
                Ok(reply)
            }
            Err(broken) => {
                if !was_used || broken.asks_for_http1() {
                    self.job.tools.client.versions.broken(&broken, Instant::now());
                }
                Err(if was_used { Failure::BrokenAfterUse(broken) } else { Failure::Broken(broken) })
            }
        }
    }

    async fn take_connection(&mut self) -> Result<Connection, Failure> {
        if let Some(mut connection) = self.connection.take()
            && connection.is_usable().await
        {
            return Ok(connection);
        }
        // Once at most: what comes after a failure is to be new.
        let may_be_spare = !std::mem::replace(&mut self.has_asked, true);
        self.crew.connection(&self.job.tools.client, may_be_spare).await
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
        let reply = self.reply.bytes();
        one_line(reply[..reply.len().min(QUOTED)].trim_ascii(), &mut quoted);
        let quoted = String::from_utf8_lossy(&quoted);
        format!("answered {status} {name}: {quoted}").trim_end_matches([' ', ':']).to_owned()
    }
}

/// Waits for a document; `None`: there are none any more.
async fn next_document(job: &Job) -> Option<Document> {
    if !has_room_to_print(job).await {
        return None;
    }
    job.board.next_document().await
}

/// Waits until what was printed is written far enough; false: the work has ended meanwhile.
async fn has_room_to_print(job: &Job) -> bool {
    let Some(printer) = &job.tools.printer else { return true };
    tokio::select! {
        biased;
        () = printer.room() => true,
        () = job.board.ended() => false,
    }
}

fn requests(job: &Job, users: &HeaderMap) -> Requests {
    Requests::new(&job.tools.client.target, &job.key, users)
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
