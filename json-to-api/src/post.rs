//! One attempt at one document: a POST, and what the answer means.
//!
//! `Idempotency-Key` is a quoted string, as draft-ietf-httpapi-idempotency-key-header-07 has it: the batch's key and the
//! line's number. It is the same for each attempt, also by the next owner, and never the same for two documents.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::{Bytes, BytesMut};
use http_client::{backoff, tls};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::{Client, Method, Request, Response, StatusCode, Url};
use rustls::CertificateError;
use stage::Turn;
use tokio::sync::watch;
use traces::{PostSpan, PostTraces};
use volume::Batch;

use crate::deliver::Tools;
use crate::document::{Answer, Document, Failure};
use crate::metrics::Metrics;
use crate::verdict::Verdict;
use crate::{print, target};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const AGENT: HeaderValue = HeaderValue::from_static(concat!("json-to-api/", env!("CARGO_PKG_VERSION")));
/// No more of a reply is kept, and its connection given up with the rest: a thousand may come at once.
const KEPT: usize = 16 << 10;
const CUT: &str = "…";
/// So much of a reply is quoted as a reason.
const QUOTED: usize = 200;
/// No document is sent if the last look at the claim is older.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What all POSTs of a batch share.
#[derive(Clone)]
pub(crate) struct Poster {
    pub(crate) url: Url,
    /// All headers but the key.
    pub(crate) headers: HeaderMap,
    /// What every key of the batch begins with.
    pub(crate) key: String,
    pub(crate) timeout: Duration,
    /// When the claim was last found to be ours.
    pub(crate) looked: watch::Receiver<Instant>,
    pub(crate) metrics: Arc<Metrics>,
    /// Which documents are traced, where any are.
    pub(crate) traces: Option<PostTraces>,
}

/// The headers of every document of a batch: the contract's and the user's.
pub(crate) fn headers(users: &HeaderMap) -> HeaderMap {
    let mut headers = users.clone();
    headers.insert(CONTENT_TYPE, JSON);
    headers.entry(USER_AGENT).or_insert(AGENT);
    headers
}

impl Poster {
    pub(crate) fn new(
        tools: &Tools,
        batch: &Batch,
        turn: &Turn<'_>,
        looked: watch::Receiver<Instant>,
    ) -> Self {
        let traces = turn.span().zip(tools.trace_documents);
        Poster {
            url: tools.url.clone(),
            headers: headers(tools.headers.current()),
            key: batch.key().to_owned(),
            timeout: tools.timeout,
            looked,
            metrics: Arc::clone(&tools.metrics),
            traces: traces.map(|(span, one_in)| span.posts(&tools.url, &target::shown(&tools.url), one_in)),
        }
    }

    /// POSTs a document once.
    pub(crate) async fn post(&self, client: Client, document: &Document) -> Answer {
        self.wait_for_a_look().await;
        if document.attempts > 1 {
            self.metrics.retried();
        }
        let start = Instant::now();
        volume::failpoint("write a request");
        let traces = self.traces.as_ref();
        let span = traces.and_then(|traces| traces.begin(document.place.line, document.attempts));
        let outcome = self.exchange(&client, document, span.as_ref()).await;
        volume::failpoint("note an answer");
        if let Some(span) = span {
            match &outcome {
                Ok(reply) => span.answered(reply.status.as_u16()),
                Err(error) => span.failed(if error.is_timeout() { "timeout" } else { "connection" }),
            }
        }
        match outcome {
            Ok(reply) => {
                self.metrics.answered(reply.status, start.elapsed());
                reply.judge()
            }
            Err(error) if error.is_timeout() => {
                self.metrics.timed_out(start.elapsed());
                failed(Failure::NoAnswer, format!("no answer within {:?}", self.timeout))
            }
            Err(error) => {
                self.metrics.failed(start.elapsed());
                broken(&error.without_url())
            }
        }
    }

    /// Waits until the last look at the claim is recent, or at least began after the question: on a volume so slow that
    /// every look is old when it ends, that must do.
    async fn wait_for_a_look(&self) {
        let (asked, mut looked) = (Instant::now(), self.looked.clone());
        // Ends with the batch's own task, which aborts this one.
        let _ = looked.wait_for(|at| *at >= asked || at.elapsed() < LOOK_EVERY).await;
    }

    async fn exchange(
        &self,
        client: &Client,
        document: &Document,
        span: Option<&PostSpan>,
    ) -> reqwest::Result<Reply> {
        let mut request = Request::new(Method::POST, self.url.clone());
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert(IDEMPOTENCY_KEY, self.idempotency_key(document.place.line));
        if let Some((name, value)) = span.map(PostSpan::header)
            && let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(value))
        {
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        *request.body_mut() = Some(document.body.clone().into());
        let response = client.execute(request).await?;
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after =
            retry_after.and_then(|value| backoff::retry_after(value.as_bytes(), SystemTime::now()));
        Ok(Reply { status, retry_after, body: read(response).await? })
    }

    fn idempotency_key(&self, line: u64) -> HeaderValue {
        let key = Bytes::from(format!("\"{}-{line}\"", self.key));
        let mut key = HeaderValue::from_maybe_shared(key).expect("the volume makes keys of `[0-9a-f.-]`");
        // It comes once: compression must not remember it (RFC 7541, section 7.1.3).
        key.set_sensitive(true);
        key
    }
}

/// Reads a reply's body to its end, or as far as it is kept.
async fn read(mut response: Response) -> reqwest::Result<Bytes> {
    let Some(first) = response.chunk().await? else { return Ok(Bytes::new()) };
    let mut body = BytesMut::from(first);
    while body.len() <= KEPT {
        let Some(more) = response.chunk().await? else { return Ok(body.freeze()) };
        body.extend_from_slice(&more);
    }
    body.truncate(KEPT);
    body.extend_from_slice(CUT.as_bytes());
    Ok(body.freeze())
}

/// What the api answered.
struct Reply {
    status: StatusCode,
    retry_after: Option<Duration>,
    body: Bytes,
}

impl Reply {
    fn judge(self) -> Answer {
        match Verdict::of(self.status.as_u16()) {
            Verdict::Delivered => Answer::Delivered { reply: self.body },
            Verdict::Rejected => Answer::Rejected(self.reason()),
            Verdict::Misconfigured => self.failed(Failure::Misconfigured),
            Verdict::Retry => self.failed(Failure::Answered),
        }
    }

    fn failed(&self, why: Failure) -> Answer {
        Answer::Failed { why, reason: self.reason(), retry_after: self.retry_after }
    }

    /// What the api said, for people.
    fn reason(&self) -> String {
        let mut quoted = Vec::new();
        print::one_line(self.body[..self.body.len().min(QUOTED)].trim_ascii(), &mut quoted);
        let quoted = String::from_utf8_lossy(&quoted);
        let (code, name) = (self.status.as_str(), self.status.canonical_reason().unwrap_or_default());
        format!("answered {code} {name}: {quoted}").trim_end_matches([' ', ':']).to_owned()
    }
}

fn failed(why: Failure, reason: String) -> Answer {
    Answer::Failed { why, reason, retry_after: None }
}

/// What to make of an attempt without an answer.
fn broken(error: &reqwest::Error) -> Answer {
    let mut source: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = source {
        if let Some(reason) = misconfiguration(cause) {
            return failed(Failure::Misconfigured, reason);
        }
        source = cause.source();
    }
    failed(if error.is_connect() { Failure::NoAnswer } else { Failure::Cut }, chain(error))
}

/// What is wrong with the set-up rather than with a connection: no other attempt will do better.
fn misconfiguration(cause: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = tls::error_of(cause) {
        return Some(format!("failed to agree on TLS: {}", tls_advice(error)));
    }
    let error = cause.downcast_ref::<h2::Error>()?;
    // Our side found that what came is no HTTP/2; or the api said so.
    let is_http1 = match error.reason() {
        Some(h2::Reason::HTTP_1_1_REQUIRED) => error.is_remote(),
        Some(h2::Reason::FRAME_SIZE_ERROR | h2::Reason::PROTOCOL_ERROR) => !error.is_remote(),
        _ => false,
    };
    is_http1.then(|| format!("failed to speak HTTP/2, the api may speak HTTP/1.x alone (--http 1): {error}"))
}

/// What to say where TLS could not be agreed on: no other attempt will do better.
fn tls_advice(error: &rustls::Error) -> String {
    match error {
        // What `openssl req -x509` makes by default; X.509 lets no CA stand for a host by itself.
        rustls::Error::InvalidCertificate(CertificateError::Other(other))
            if other.to_string().contains("CaUsedAsEndEntity") =>
        {
            "the api's certificate is one of a CA (CA:TRUE), which vouches for others only: make one for the host \
             itself (openssl req -x509 -addext basicConstraints=critical,CA:FALSE …)"
                .to_owned()
        }
        rustls::Error::NoApplicationProtocol | rustls::Error::AlertReceived(rustls::AlertDescription::NoApplicationProtocol) => {
            format!("{error}: the api does not speak the version of HTTP that --http says")
        }
        other => other.to_string(),
    }
}

/// An error with its causes, on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
