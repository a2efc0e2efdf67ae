//! One HTTP/1.1 connection, driven by the task that uses it: no other task has to be woken for a request.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::Request;
use http::header::RETRY_AFTER;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::backoff;
use crate::lifetime::MAX_REQUESTS;

/// So much of a reply is kept, for the log.
const KEPT: usize = 64 << 10;
/// So much of a reply is read; the connection of a longer one is given up.
const READ: usize = 1 << 20;
/// What stands at the end of a reply that was not kept whole.
const CUT: &[u8] = "…".as_bytes();

/// What the api said.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// How long the api asks to be left alone.
    pub(crate) retry_after: Option<Duration>,
}

/// A connection to the api, for one request at a time.
pub(crate) struct Connection {
    requests: http1::SendRequest<Full<Bytes>>,
    driver: Driver,
    /// It is not used after this.
    expires: Instant,
    /// How many requests it may still carry.
    left: u32,
}

/// What moves bytes between the socket and hyper's half that takes requests.
struct Driver {
    connection: Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>,
    ended: bool,
}

impl Driver {
    /// Polls a future that needs the connection's work; `None`: the connection has ended without it.
    async fn drive<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            if !self.ended {
                self.ended = self.connection.as_mut().poll(context).is_ready();
            }
            // What has just been read is often what the future waits for.
            match future.as_mut().poll(context) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending if self.ended => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

/// Why a request on a connection got no whole answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the connection was cut off")]
    CutOff,
    #[error("the connection was cut off")]
    Failed(#[source] hyper::Error),
}

impl Connection {
    /// Begins to speak HTTP/1.1 over a stream.
    ///
    /// # Errors
    /// Those of hyper; nothing is sent yet.
    pub(crate) async fn open<S>(stream: S, expires: Instant) -> hyper::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let driver = Driver { connection: Box::pin(connection), ended: false };
        Ok(Connection { requests, driver, expires, left: MAX_REQUESTS })
    }

    /// Returns whether another request may be sent: the connection is not too old, and as far as is known not closed.
    pub(crate) async fn is_usable(&mut self) -> bool {
        if self.is_spent() {
            return false;
        }
        let mut ready = pin!(self.driver.drive(self.requests.ready()));
        // One that is not ready at once is still busy with a request that was answered early.
        poll_fn(|context| Poll::Ready(matches!(ready.as_mut().poll(context), Poll::Ready(Some(Ok(()))))))
            .await
    }

    /// Returns whether it is too old, or has carried enough.
    pub(crate) fn is_spent(&self) -> bool {
        self.left == 0 || Instant::now() >= self.expires
    }

    /// Returns whether it has carried a request before: the api may close it at any moment.
    pub(crate) fn is_used(&self) -> bool {
        self.left < MAX_REQUESTS
    }

    /// Sends a request and reads the reply; its body, or the beginning of a long one, is put into `body`.
    ///
    /// # Errors
    /// The connection ended before a whole reply. A reply that is none of success counts without its body.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        body: &mut Vec<u8>,
    ) -> Result<Reply, Broken> {
        self.left -= 1;
        let response = self.driver.drive(self.requests.send_request(request)).await;
        let response = response.ok_or(Broken::CutOff)?.map_err(Broken::Failed)?;
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after =
            retry_after.and_then(|value| backoff::retry_after(value.as_bytes(), SystemTime::now()));
        if let Err(broken) = self.read(response.into_body(), body).await {
            self.left = 0;
            if status.is_success() {
                return Err(broken);
            }
        }
        Ok(Reply { status: status.as_u16(), retry_after })
    }

    async fn read(&mut self, mut reply: Incoming, body: &mut Vec<u8>) -> Result<(), Broken> {
        body.clear();
        let mut length = 0;
        while let Some(frame) = self.driver.drive(reply.frame()).await.ok_or(Broken::CutOff)? {
            let Ok(data) = frame.map_err(Broken::Failed)?.into_data() else { continue };
            length += data.len();
            body.extend_from_slice(&data[..data.len().min(KEPT - body.len())]);
            if length > READ {
                // Its rest would have to be read before the next reply.
                self.left = 0;
                break;
            }
        }
        if length > KEPT {
            body.extend_from_slice(CUT);
        }
        Ok(())
    }
}
