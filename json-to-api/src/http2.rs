//! One HTTP/2 connection that several senders use at once, each with a stream of its own.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use h2::Reason;
use h2::client::{Builder, SendRequest};
use http::Request;
use http::header::RETRY_AFTER;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::backoff;
use crate::reply::{Body, Reply};
use crate::stream::Stream;

/// What the api may send unasked, in bytes: enough that replies never wait.
const WINDOW: u32 = 1 << 20;
/// So many streams every api should take (RFC 9113, section 6.5.2).
const STREAMS: usize = 100;
/// The longest head of a reply, in bytes.
const MAX_HEAD: u32 = 64 << 10;

/// Why a connection cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("it answered in HTTP/1.x")]
    Http1,
    #[error("it closed the connection without an answer")]
    Closed,
    #[error("it does not answer")]
    Silent,
    #[error(transparent)]
    Failed(h2::Error),
}

/// A connection that was just made.
pub(crate) struct Trunk {
    pub(crate) lane: Lane,
    pub(crate) driver: Driver,
}

/// A sender's share of a connection.
#[derive(Clone)]
pub(crate) struct Lane {
    requests: SendRequest<Bytes>,
    standing: Arc<Standing>,
}

/// What moves the bytes of a connection: it has to be polled wherever its lanes are.
pub(crate) struct Driver {
    connection: Box<h2::client::Connection<Answering, Bytes>>,
    standing: Arc<Standing>,
}

/// What is known of a connection.
struct Standing {
    /// No request begins on it after this.
    expires: Instant,
    /// No further request will get through.
    is_spent: AtomicBool,
    /// It has carried a reply: the api may close it at any moment.
    is_used: AtomicBool,
}

impl Trunk {
    /// Begins to speak HTTP/2 over a stream, and waits for the api's first words in it.
    ///
    /// # Errors
    /// The api does not answer in HTTP/2.
    pub(crate) async fn open(stream: Stream, expires: Instant) -> Result<Self, OpenError> {
        let words = Arc::new(FirstWords::default());
        let stream = Answering { stream, words: Arc::clone(&words) };
        let handshake = Builder::new()
            .enable_push(false)
            // Until the api has said how many it takes; else it would be any number.
            .initial_max_send_streams(STREAMS)
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_header_list_size(MAX_HEAD)
            .handshake(stream);
        let (requests, mut connection) = handshake.await.map_err(OpenError::Failed)?;
        poll_fn(|context| {
            let ended = Pin::new(&mut connection).poll(context);
            match (words.version(), ended) {
                (Some(Version::Http1), _) => Poll::Ready(Err(OpenError::Http1)),
                (Some(Version::Http2), Poll::Pending) => Poll::Ready(Ok(())),
                (_, Poll::Ready(Ok(()))) => Poll::Ready(Err(OpenError::Closed)),
                (None, Poll::Ready(Err(error))) if error.is_io() => Poll::Ready(Err(OpenError::Closed)),
                (_, Poll::Ready(Err(error))) => Poll::Ready(Err(OpenError::Failed(error))),
                (None, Poll::Pending) => Poll::Pending,
            }
        })
        .await?;
        let standing =
            Standing { expires, is_spent: AtomicBool::new(false), is_used: AtomicBool::new(false) };
        let standing = Arc::new(standing);
        let lane = Lane { requests, standing: Arc::clone(&standing) };
        Ok(Trunk { lane, driver: Driver { connection: Box::new(connection), standing } })
    }
}

impl Driver {
    /// Moves what can be moved; ready once the connection has ended.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // The senders on it are told as well.
        let ended = Pin::new(&mut self.connection).poll(context).map(drop);
        if ended.is_ready() {
            self.standing.is_spent.store(true, Relaxed);
        }
        ended
    }

    /// Returns whether no further request can be sent on its connection.
    pub(crate) fn is_spent(&self) -> bool {
        self.standing.is_spent()
    }
}

impl Standing {
    fn is_spent(&self) -> bool {
        self.is_spent.load(Relaxed) || Instant::now() >= self.expires
    }
}

impl Lane {
    /// Returns whether another request may be sent: the connection is not too old, and as far as is known not closed.
    pub(crate) fn is_usable(&mut self, context: &mut Context<'_>) -> bool {
        if let Poll::Ready(Err(_)) = self.requests.poll_ready(context) {
            self.standing.is_spent.store(true, Relaxed);
        }
        !self.standing.is_spent()
    }

    /// Returns whether its connection has carried a reply before: the api may close it at any moment.
    pub(crate) fn is_used(&self) -> bool {
        self.standing.is_used.load(Relaxed)
    }

    /// Sends a request and reads the reply, whose body, or the beginning of a long one, is put into `reply`. Whoever
    /// gives up in the middle has waited too long: the connection gets no further requests.
    ///
    /// # Errors
    /// The stream or the connection ended before a whole reply. A reply that is none of success counts without its body.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<()>,
        document: Bytes,
        reply: &mut Body,
    ) -> Result<Reply, h2::Error> {
        reply.clear();
        let watch = SpendOnDrop(Some(&self.standing));
        let outcome = exchange(&mut self.requests, request, document, reply).await;
        watch.disarm();
        match &outcome {
            Ok(_) => self.standing.is_used.store(true, Relaxed),
            // It is the stream's, unless the api wants another version of HTTP.
            Err(error) if error.is_reset() && error.reason() != Some(Reason::HTTP_1_1_REQUIRED) => {}
            Err(_) => self.standing.is_spent.store(true, Relaxed),
        }
        outcome
    }
}

/// Spends a connection unless it is disarmed.
struct SpendOnDrop<'a>(Option<&'a Standing>);

impl SpendOnDrop<'_> {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for SpendOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(standing) = self.0 {
            standing.is_spent.store(true, Relaxed);
        }
    }
}

async fn exchange(
    requests: &mut SendRequest<Bytes>,
    request: Request<()>,
    document: Bytes,
    reply: &mut Body,
) -> Result<Reply, h2::Error> {
    poll_fn(|context| requests.poll_ready(context)).await?;
    let (response, mut stream) = requests.send_request(request, false)?;
    stream.send_data(document, true)?;
    let (head, mut body) = response.await?.into_parts();
    let retry_after = head.headers.get(RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| backoff::retry_after(value.as_bytes(), SystemTime::now()));
    while let Some(data) = poll_fn(|context| body.poll_data(context)).await {
        match data {
            Ok(data) => {
                // Room for more. It fails only where nothing more will come.
                let _ = body.flow_control().release_capacity(data.len());
                if !reply.push(&data) {
                    break;
                }
            }
            // The reply is whole, and the rest of the request is not wanted (RFC 9113, section 8.1).
            Err(error) if error.reason() == Some(Reason::NO_ERROR) && error.is_reset() => break,
            Err(_) if !head.status.is_success() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(Reply { status: head.status.as_u16(), retry_after })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Http1,
    Http2,
}

/// What an api's first bytes tell.
#[derive(Debug, Default)]
struct FirstWords {
    seen: AtomicU8,
    version: AtomicU8,
}

impl FirstWords {
    const HTTP1: u8 = 1;
    const HTTP2: u8 = 2;

    fn version(&self) -> Option<Version> {
        match self.version.load(Relaxed) {
            Self::HTTP1 => Some(Version::Http1),
            Self::HTTP2 => Some(Version::Http2),
            _ => None,
        }
    }

    /// Looks at further bytes, as long as it is not clear what they are.
    fn look(&self, bytes: &[u8]) {
        for byte in bytes {
            let seen = self.seen.load(Relaxed);
            let version = match (b"HTTP/".get(usize::from(seen)), byte) {
                (Some(expected), byte) if expected == byte => {
                    self.seen.store(seen + 1, Relaxed);
                    continue;
                }
                (None, _) => Self::HTTP1,
                // A frame's length comes first: no server's first frame is that long.
                (Some(_), _) => Self::HTTP2,
            };
            self.version.store(version, Relaxed);
            return;
        }
    }
}

/// A stream that takes note of the api's first words.
struct Answering {
    stream: Stream,
    words: Arc<FirstWords>,
}

impl AsyncRead for Answering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if self.words.version().is_none() {
            self.words.look(&buffer.filled()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Answering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
