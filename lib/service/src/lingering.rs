use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};

/// How long a client may go on sending after the last reply.
const LINGER: Duration = Duration::from_secs(5);

/// How much is discarded at once, in bytes.
const DISCARD: usize = 4 << 10;

/// A TCP stream that is not closed under a client that still sends: the system would tell it that the connection is
/// broken, before it has read why it was refused.
pub(crate) struct Stream {
    stream: TcpStream,
    /// Set once the client was told that no more will come.
    lingers: Option<Pin<Box<Sleep>>>,
    /// The place among the connections, free again when this one is closed, whoever has it then: a tunnel outlives what
    /// hyper calls a connection.
    _place: OwnedSemaphorePermit,
}

impl Stream {
    pub(crate) fn new(stream: TcpStream, place: OwnedSemaphorePermit) -> Self {
        Self { stream, lingers: None, _place: place }
    }

    /// Reads and discards until the client has sent all.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut space = [0; DISCARD];
            let mut buffer = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

/// Without vectors: hyper then puts head and body into one buffer, which is cheaper for replies this small.
impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingers.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.lingers = Some(Box::pin(sleep(LINGER)));
        }
        if self.lingers.as_mut().is_some_and(|lingers| lingers.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Ok(()));
        }
        self.poll_discard(cx)
    }
}
