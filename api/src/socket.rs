use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::pace::Pace;

/// How much is discarded at once, in bytes.
const DISCARD: usize = 16 << 10;

/// A TCP stream that notes in `pace` what it moves, and that is not closed under a client that still sends.
///
/// It writes no vectors: hyper then puts head and body into one buffer, which is cheaper for replies this small.
pub(crate) struct Socket {
    stream: TcpStream,
    pace: Arc<Pace>,
    /// What was read to find out what is spoken, and is to be read again.
    ahead: BytesMut,
    /// The client was told that no more will come.
    said_goodbye: bool,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, pace: Arc<Pace>) -> Self {
        Self { stream, pace, ahead: BytesMut::new(), said_goodbye: false }
    }

    /// Reads up to `space` bytes ahead; whether that is the end.
    pub(crate) fn poll_ahead(&mut self, cx: &mut Context<'_>, space: usize) -> Poll<io::Result<bool>> {
        loop {
            // Nothing is held for a client that says nothing.
            ready!(self.stream.poll_read_ready(cx))?;
            self.ahead.reserve(space);
            match self.stream.try_read_buf(&mut self.ahead) {
                Ok(read) => {
                    if read > 0 {
                        self.pace.received();
                    }
                    return Poll::Ready(Ok(read == 0));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// What was read ahead so far.
    pub(crate) fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// What was read ahead, and not again since.
    pub(crate) fn take_ahead(&mut self) -> BytesMut {
        std::mem::take(&mut self.ahead)
    }

    /// Has `bytes` be read again, before all else.
    pub(crate) fn put_back(&mut self, bytes: BytesMut) {
        self.ahead = bytes;
    }

    /// Reads and discards until the client has sent all.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut space = [MaybeUninit::uninit(); DISCARD];
        loop {
            let mut buffer = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.pace.moved();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let length = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(length));
            if self.ahead.is_empty() {
                self.ahead = BytesMut::new();
            }
            self.pace.received();
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.pace.received();
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(cx, bytes) else {
            self.pace.blocks();
            return Poll::Pending;
        };
        self.pace.sent();
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.pace.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.said_goodbye {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.said_goodbye = true;
        }
        if self.pace.ends() {
            return self.poll_discard(cx);
        }
        Poll::Ready(Ok(()))
    }
}
