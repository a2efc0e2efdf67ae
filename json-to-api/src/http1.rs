//! One HTTP/1.1 connection, for one request at a time.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::Broken;
use crate::lifetime::MAX_REQUESTS;
use crate::reply::{Body, Read, Reader, Reply};
use crate::stream::Stream;

/// How much is read at once: replies are short.
const READ: usize = 4 << 10;
/// A document up to this is copied behind its head, so that both go out in one write; a longer one is not copied.
const COPIED: usize = 16 << 10;

/// A connection to the api.
pub(crate) struct Connection {
    stream: Stream,
    /// The request, as far as it was put together.
    request: Vec<u8>,
    /// What was read and not yet consumed lies before `filled`.
    buffer: Vec<u8>,
    filled: usize,
    /// It is not used after this.
    expires: Instant,
    /// How many requests it may still carry.
    left: u32,
}

impl Connection {
    pub(crate) fn new(stream: Stream, expires: Instant) -> Self {
        Connection {
            stream,
            request: Vec::new(),
            buffer: vec![0; READ],
            filled: 0,
            expires,
            left: MAX_REQUESTS,
        }
    }

    /// Returns whether another request may be sent: it is not too old, and the api has neither closed it nor sent what
    /// was not asked for.
    pub(crate) fn is_usable(&mut self, context: &mut Context<'_>) -> bool {
        !self.is_spent() && self.filled == 0 && self.poll_read(context).is_pending()
    }

    /// Returns whether it is too old, or has carried enough.
    pub(crate) fn is_spent(&self) -> bool {
        self.left == 0 || Instant::now() >= self.expires
    }

    /// Returns whether it has carried a request before: the api may close it at any moment.
    pub(crate) fn is_used(&self) -> bool {
        self.left < MAX_REQUESTS
    }

    /// Sends a request and reads the reply. `head` appends the request's head to what it is given; the reply's body, or
    /// the beginning of a long one, is put into `reply`.
    ///
    /// # Errors
    /// The connection ended before a whole reply. A reply that is none of success counts without its body.
    pub(crate) async fn exchange(
        &mut self,
        head: impl FnOnce(&mut Vec<u8>),
        document: &Bytes,
        reply: &mut Body,
    ) -> Result<Reply, Broken> {
        // Whoever gives up in the middle leaves a connection that is of no more use.
        let left = std::mem::take(&mut self.left).saturating_sub(1);
        reply.clear();
        self.request.clear();
        head(&mut self.request);
        let is_copied = document.len() <= COPIED;
        if is_copied {
            self.request.extend_from_slice(document);
        }
        let mut unsent =
            Unsent { head: 0, document: if is_copied { &[] } else { document }, is_flushed: false };
        let mut reader = Reader::default();
        let outcome = poll_fn(|context| {
            let sent = self.poll_send(&mut unsent, context);
            // An api may refuse a request before it has read it, and close: its reply counts.
            match self.poll_reply(&mut reader, reply, context) {
                Poll::Pending => match sent {
                    Poll::Ready(Err(error)) => Poll::Ready(Err(Broken::Failed(error))),
                    _ => Poll::Pending,
                },
                outcome => outcome,
            }
        });
        match outcome.await {
            Ok(read) => {
                if read.persists && unsent.is_flushed {
                    self.left = left;
                }
                Ok(read.reply)
            }
            Err(broken) => reader.begun().filter(|reply| !(200..300).contains(&reply.status)).ok_or(broken),
        }
    }

    fn poll_send(&mut self, unsent: &mut Unsent<'_>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !unsent.is_flushed {
            let head = &self.request[unsent.head..];
            let bytes = if head.is_empty() { unsent.document } else { head };
            if bytes.is_empty() {
                ready!(Pin::new(&mut self.stream).poll_flush(context))?;
                unsent.is_flushed = true;
                break;
            }
            match ready!(Pin::new(&mut self.stream).poll_write(context, bytes))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written if head.is_empty() => unsent.document = &unsent.document[written..],
                written => unsent.head += written,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_reply(
        &mut self,
        reader: &mut Reader,
        reply: &mut Body,
        context: &mut Context<'_>,
    ) -> Poll<Result<Read, Broken>> {
        loop {
            let is_end = ready!(self.poll_read(context)).map_err(Broken::Failed)? == 0;
            if is_end {
                return Poll::Ready(reader.end().ok_or(Broken::CutOff));
            }
            let (consumed, read) =
                reader.advance(&self.buffer[..self.filled], reply).map_err(Broken::Malformed)?;
            self.buffer.copy_within(consumed..self.filled, 0);
            self.filled -= consumed;
            if let Some(read) = read {
                return Poll::Ready(Ok(read));
            }
        }
    }

    /// Reads more, behind what was not consumed; 0: the end.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.filled == self.buffer.len() {
            // Only what must be looked at as a whole is not consumed, and that has its bound.
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let mut space = ReadBuf::new(&mut self.buffer[self.filled..]);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut space))?;
        let length = space.filled().len();
        self.filled += length;
        Poll::Ready(Ok(length))
    }
}

/// What of a request is still to be written.
struct Unsent<'a> {
    /// Where the rest of the head, and of what was copied behind it, begins.
    head: usize,
    document: &'a [u8],
    is_flushed: bool,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_comes_behind_a_reply_is_no_answer_to_the_next_request() {
        for (behind, is_usable) in [("", true), ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false)] {
            let (near, mut far) = duplex(4096);
            let mut connection = Connection::new(Box::new(near), Instant::now() + Duration::from_secs(3600));
            let answer = async {
                far.read_u8().await.unwrap();
                let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok{behind}");
                far.write_all(reply.as_bytes()).await.unwrap();
            };
            let (mut body, document) = (Body::default(), Bytes::from_static(b"{}"));
            let head = |head: &mut Vec<u8>| head.extend(b"POST");
            let (reply, ()) = tokio::join!(connection.exchange(head, &document, &mut body), answer);
            assert_eq!((reply.unwrap().status, body.bytes()), (200, &b"ok"[..]));
            // The other side stays open: nothing but what came tells.
            let usable = poll_fn(|context| Poll::Ready(connection.is_usable(context))).await;
            assert_eq!(usable, is_usable, "{behind:?}");
        }
    }
}
