//! HTTP/2 without TLS, begun with its preface.
//!
//! All requests of a connection are answered in its one task. Whatever has come is read first, then all that is complete
//! is answered, and the replies go out in one write. Only requests that must be waited for, for their bodies or for room
//! in the client's window, become futures, and have their own limits: one that exceeds them loses its stream alone.
//!
//! As over HTTP/1.1, CONNECT is answered through the tunnel that it asks for. Unlike there, a client that ends its side has
//! ended the connection.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Error, Reason, RecvStream, SendStream};
use http::header::{CONTENT_LENGTH, EXPECT};
use http::{Method, Request, Response, StatusCode};

use crate::answer::{Answers, MAX_BODY};
use crate::connection::{Ending, Stop};
use crate::pace::Pace;
use crate::patience::{Limits, Patience};
use crate::socket::Socket;

/// What a client says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Requests in hand on one connection.
const MAX_STREAMS: u32 = 256;

/// The largest list of headers, in bytes as RFC 9113 counts them. Less than HTTP/1.1 may have, since there may be as many
/// at once as there are streams.
const MAX_HEADERS: u32 = 16 << 10;

/// How much of a body may come before it is read, in bytes.
const STREAM_WINDOW: u32 = 64 << 10;

/// How much of all bodies on a connection may come before it is read, in bytes.
const CONNECTION_WINDOW: u32 = 256 << 10;

type Accepted = (Request<RecvStream>, SendResponse<Bytes>);
type Waiting = FuturesUnordered<Pin<Box<dyn Future<Output = ()> + Send>>>;

/// Whether a connection that begins with `bytes` is HTTP/2; none while that is open.
pub(crate) fn is_spoken(bytes: &[u8], is_end: bool) -> Option<bool> {
    let compared = bytes.len().min(PREFACE.len());
    if bytes[..compared] != PREFACE[..compared] || is_end {
        return Some(false);
    }
    (compared == PREFACE.len()).then_some(true)
}

/// Serves a connection to its end.
pub(crate) async fn serve(
    socket: Socket,
    answers: Arc<Answers>,
    limits: Limits,
    pace: &Pace,
    ending: &mut Ending,
) {
    // Unless it ends in good order: the client may not have read yet why.
    pace.leaves_unread();
    let handshake = Builder::new()
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADERS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(socket);
    let mut handshake = std::pin::pin!(handshake);
    let connection = loop {
        match ending.or(|cx| handshake.as_mut().poll(cx)).await {
            Ok(Ok(connection)) => break connection,
            Ok(Err(_)) | Err(Stop::CutOff) => return,
            Err(_) => {}
        }
    };
    let mut server = Server { connection, answers, limits, accepted: Vec::new(), waiting: Waiting::new() };
    // Asked meanwhile. Who only comes while the server drains is answered first.
    if ending.is_to_finish() {
        server.say_goodbye(pace);
    }
    loop {
        match ending.or(|cx| server.poll(cx, pace)).await {
            Ok(()) => return,
            Err(Stop::No) => {}
            Err(Stop::Drain | Stop::Finish) => server.say_goodbye(pace),
            Err(Stop::CutOff) => break,
        }
    }
    // Says which requests were taken, so that others can go elsewhere: as far as that goes without waiting.
    server.connection.abrupt_shutdown(Reason::NO_ERROR);
    poll_fn(|cx| Poll::Ready(server.poll(cx, pace).is_ready())).await;
}

/// One connection.
struct Server {
    connection: Connection<Socket, Bytes>,
    answers: Arc<Answers>,
    limits: Limits,
    /// What came last; kept for its memory.
    accepted: Vec<Accepted>,
    waiting: Waiting,
}

impl Server {
    /// Goes on until nothing is left to do but to wait; ready when the connection has ended.
    fn poll(&mut self, cx: &mut Context<'_>, pace: &Pace) -> Poll<()> {
        loop {
            // All of it before the first reply: each look at the connection writes out what is there.
            while let Poll::Ready(accepted) = self.connection.poll_accept(cx) {
                match accepted {
                    Some(Ok(accepted)) => self.accepted.push(accepted),
                    // An error is the client's: it broke off, or spoke no HTTP/2.
                    Some(Err(_)) | None => return Poll::Ready(()),
                }
            }
            let mut has_replied = !self.accepted.is_empty();
            self.answer_accepted();
            while !self.waiting.is_empty() && self.waiting.poll_next_unpin(cx).is_ready() {
                has_replied = true;
            }
            if !has_replied {
                break;
            }
            if self.answers.are_last() {
                self.say_goodbye(pace);
            }
        }
        pace.rests(self.connection.has_streams());
        Poll::Pending
    }

    /// Answers what is complete, and keeps the rest.
    fn answer_accepted(&mut self) {
        for (request, respond) in self.accepted.drain(..) {
            self.answers.count();
            let mut exchange = Exchange { request, respond, read: 0, answers: Arc::clone(&self.answers) };
            // Nobody is woken: what is not there yet is asked for again.
            match exchange.poll_body(&mut Context::from_waker(Waker::noop()), &Pace::new()) {
                Poll::Ready(Ok(status)) => {
                    if let Some(reply) = exchange.reply(status) {
                        self.waiting.push(Box::pin(reply.send(self.limits)));
                    }
                }
                // The client's: it has taken its request back, or sent nonsense.
                Poll::Ready(Err(_)) => {}
                Poll::Pending => self.waiting.push(Box::pin(exchange.wait(self.limits))),
            }
        }
    }

    /// Tells the client to go elsewhere; what it has asked by then is answered.
    fn say_goodbye(&mut self, pace: &Pace) {
        pace.leaves_nothing();
        self.connection.graceful_shutdown();
    }
}

/// A request, and the way back.
struct Exchange {
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
    /// How much of the body was read, in bytes.
    read: u64,
    answers: Arc<Answers>,
}

impl Exchange {
    /// Waits for what is to come of the body, as long as the limits allow, and replies.
    async fn wait(mut self, limits: Limits) {
        let pace = Arc::new(Pace::new());
        pace.reads_body();
        let mut patience = Patience::new(Arc::clone(&pace), limits);
        let status = if self.announces_too_much() {
            StatusCode::PAYLOAD_TOO_LARGE
        } else {
            self.tell_to_continue();
            tokio::select! {
                biased;
                body = poll_fn(|cx| self.poll_body(cx, &pace)) => match body {
                    Ok(status) => status,
                    Err(_) => return,
                },
                () = &mut patience => return self.respond.send_reset(Reason::CANCEL),
            }
        };
        if let Some(reply) = self.reply(status) {
            reply.send(limits).await;
        }
    }

    /// Discards the body. The status: 200, or 413 when it is too long.
    fn poll_body(&mut self, cx: &mut Context<'_>, pace: &Pace) -> Poll<Result<StatusCode, Error>> {
        // What follows it is the tunnel, for which it does not end.
        if self.request.method() == Method::CONNECT {
            return Poll::Ready(Ok(StatusCode::OK));
        }
        let body = self.request.body_mut();
        while !body.is_end_stream() {
            let Some(data) = ready!(body.poll_data(cx)) else {
                break;
            };
            let length = data?.len();
            pace.moved();
            self.read += length as u64;
            if self.read > MAX_BODY {
                return Poll::Ready(Ok(StatusCode::PAYLOAD_TOO_LARGE));
            }
            body.flow_control().release_capacity(length)?;
        }
        Poll::Ready(Ok(StatusCode::OK))
    }

    fn announces_too_much(&self) -> bool {
        let length = self.request.headers().get(CONTENT_LENGTH);
        // h2 has refused what is no number.
        let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        length.is_some_and(|length| length > MAX_BODY)
    }

    fn tell_to_continue(&mut self) {
        let expected = self.request.headers().get(EXPECT);
        if expected.is_some_and(|expected| expected.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
            let mut response = Response::new(());
            *response.status_mut() = StatusCode::CONTINUE;
            // Fails where the client has taken its request back: seen when the body is read.
            let _ = self.respond.send_informational(response);
        }
    }

    /// Replies, unless the client has gone; what must be waited for is returned. When the handles are dropped, h2 resets
    /// a stream whose body was not read to its end, after the reply, with `NO_ERROR`.
    fn reply(mut self, status: StatusCode) -> Option<Reply> {
        let method = self.request.method();
        let has_body = status == StatusCode::OK && method != Method::HEAD;
        let has_length = method != Method::CONNECT;
        // The request's map serves for the reply: one allocation less.
        let headers = std::mem::take(self.request.headers_mut());
        let head = self.answers.head(status, headers, has_length);
        let stream = self.respond.send_response(head, !has_body).ok()?;
        let mut reply = Reply { stream, rest: self.answers.body() };
        let sent =
            !has_body || reply.poll_send(&mut Context::from_waker(Waker::noop()), &Pace::new()).is_ready();
        (!sent).then_some(reply)
    }
}

/// The body of a reply, on its way.
struct Reply {
    stream: SendStream<Bytes>,
    rest: Bytes,
}

impl Reply {
    /// Sends as much at once as the client's window allows; ready when all is sent, or the client wants no more.
    fn poll_send(&mut self, cx: &mut Context<'_>, pace: &Pace) -> Poll<()> {
        while !self.rest.is_empty() {
            self.stream.reserve_capacity(self.rest.len());
            let Some(Ok(room)) = ready!(self.stream.poll_capacity(cx)) else {
                break;
            };
            pace.moved();
            let piece = self.rest.split_to(room.min(self.rest.len()));
            if self.stream.send_data(piece, self.rest.is_empty()).is_err() {
                break;
            }
        }
        Poll::Ready(())
    }

    /// Sends the rest, as long as the limits allow.
    async fn send(mut self, limits: Limits) {
        let pace = Arc::new(Pace::new());
        pace.replies();
        let mut patience = Patience::new(Arc::clone(&pace), limits);
        tokio::select! {
            biased;
            () = poll_fn(|cx| self.poll_send(cx, &pace)) => {}
            () = &mut patience => self.stream.send_reset(Reason::CANCEL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preface_is_told_from_all_else_as_soon_as_that_is_possible() {
        for length in 0..PREFACE.len() {
            assert_eq!(is_spoken(&PREFACE[..length], false), None);
            assert_eq!(is_spoken(&PREFACE[..length], true), Some(false));
            let mut other = PREFACE[..=length].to_vec();
            other[length] ^= 1;
            assert_eq!(is_spoken(&other, false), Some(false));
        }
        assert_eq!(is_spoken(PREFACE, false), Some(true));
        assert_eq!(is_spoken(&PREFACE.repeat(2), false), Some(true));
    }
}
