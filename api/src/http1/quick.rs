//! Answers ordinary requests, one after the other, each batch that came at once with one write.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ordinary::{self, Found, MAX_LENGTH};
use crate::answer::Answers;
use crate::connection::{Ending, Stop};
use crate::pace::Pace;
use crate::socket::Socket;

/// Memory for replies that a connection keeps, in bytes: for one.
const KEPT: usize = 512;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Closed,
    /// What comes next, and is in the socket's hands again, is no ordinary request.
    Extraordinary,
}

/// Serves a connection as long as all that comes is ordinary, and the server does not stop.
pub(super) async fn serve(socket: &mut Socket, answers: &Answers, pace: &Pace, ending: &mut Ending) -> End {
    let ahead = socket.take_ahead();
    let mut quick = Quick::new(socket, answers, pace);
    if !ahead.is_empty() {
        quick.take(&ahead);
    }
    drop(ahead);
    let end = loop {
        match ending.or(|cx| quick.poll(cx)).await {
            Ok(end) => break end.unwrap_or(End::Closed),
            Err(Stop::No | Stop::Drain) => {}
            Err(Stop::Finish) => quick.is_to_finish = true,
            Err(Stop::CutOff) => break End::Closed,
        }
    };
    let rest = quick.rest;
    socket.put_back(rest);
    end
}

struct Quick<'a> {
    socket: &'a mut Socket,
    answers: &'a Answers,
    pace: &'a Pace,
    /// What is no whole request yet; takes no memory while there is none.
    rest: BytesMut,
    /// How long the rest must be for another look at it, in bytes.
    needed: usize,
    /// Replies.
    unsent: Vec<u8>,
    /// How much of them is sent, in bytes.
    sent: usize,
    /// The rest is no ordinary request.
    is_over: bool,
    /// No further request is to be waited for.
    is_to_finish: bool,
}

impl<'a> Quick<'a> {
    fn new(socket: &'a mut Socket, answers: &'a Answers, pace: &'a Pace) -> Self {
        Self {
            socket,
            answers,
            pace,
            rest: BytesMut::new(),
            needed: 0,
            unsent: Vec::new(),
            sent: 0,
            is_over: false,
            is_to_finish: false,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<End>> {
        loop {
            ready!(self.poll_send(cx))?;
            if self.is_over {
                return Poll::Ready(Ok(End::Extraordinary));
            }
            if self.is_to_finish {
                return Poll::Ready(Ok(self.end()));
            }
            let mut space = [MaybeUninit::uninit(); MAX_LENGTH];
            let mut buffer = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut *self.socket).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(self.end()));
            }
            self.take(buffer.filled());
        }
    }

    /// How it ends when no more is to be read: hyper knows what to do with half a request.
    fn end(&self) -> End {
        if self.rest.is_empty() { End::Closed } else { End::Extraordinary }
    }

    /// Takes what has come, and answers what is whole.
    fn take(&mut self, bytes: &[u8]) {
        if self.rest.is_empty() {
            let answered = self.answer(bytes);
            self.rest.extend_from_slice(&bytes[answered..]);
            return;
        }
        self.rest.extend_from_slice(bytes);
        if self.rest.len() >= self.needed {
            let mut begun = std::mem::take(&mut self.rest);
            let answered = self.answer(&begun);
            if answered < begun.len() {
                begun.advance(answered);
                self.rest = begun;
            }
        }
    }

    /// Answers the requests that stand at the start of `bytes`. How long they are.
    fn answer(&mut self, bytes: &[u8]) -> usize {
        // hyper tells clients to close.
        self.is_over = self.answers.are_last();
        let mut answered = 0;
        while answered < bytes.len() && !self.is_over {
            match ordinary::find(&bytes[answered..]) {
                Found::Request { length, wants_body } => {
                    self.answers.count();
                    self.answers.write(&mut self.unsent, wants_body);
                    answered += length;
                }
                Found::Begun { length } => {
                    self.needed = length;
                    break;
                }
                Found::Other => self.is_over = true,
            }
        }
        if !self.unsent.is_empty() {
            self.pace.replies();
        } else if !self.is_over {
            self.pace.reads_body();
        }
        answered
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.unsent.len() {
            let unsent = &self.unsent[self.sent..];
            self.sent += ready!(Pin::new(&mut *self.socket).poll_write(cx, unsent))?;
        }
        if self.sent > 0 {
            self.sent = 0;
            self.unsent.clear();
            self.unsent.shrink_to(KEPT);
            self.pace.flushed();
            if !self.rest.is_empty() && !self.is_over {
                self.pace.reads_body();
            }
        }
        Poll::Ready(Ok(()))
    }
}
