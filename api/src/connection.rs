use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use service::Shutdown;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::answer::Answers;
use crate::pace::Pace;
use crate::patience::{Limits, Patience};
use crate::socket::Socket;
use crate::{http1, http2};

/// How much is read at once to find out which version a client speaks, in bytes.
const OPENING: usize = 1 << 10;

/// What the server asks of its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    No,
    /// Go on, and tell clients to go elsewhere.
    Drain,
    /// Answer what has begun, then end.
    Finish,
    /// End now.
    CutOff,
}

/// What ends a connection from outside: the limits, or the server.
pub(crate) struct Ending {
    patience: Patience,
    stop: watch::Receiver<Stop>,
    shutdown: Shutdown,
}

impl Ending {
    /// Whether the server has asked to finish.
    pub(crate) fn is_to_finish(&self) -> bool {
        *self.stop.borrow() == Stop::Finish
    }

    /// Goes on with `work` until it is done, or until the server asks for something: to be cut off also where the client
    /// has taken too long.
    pub(crate) async fn or<T>(
        &mut self,
        mut work: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Result<T, Stop> {
        let Self { patience, stop, shutdown } = self;
        let asked = async {
            // An error says that the server is gone without a word.
            stop.changed().await.map_or(Stop::CutOff, |()| *stop.borrow())
        };
        let mut asked = pin!(asked);
        let mut is_awaited = false;
        poll_fn(|cx| {
            if let Poll::Ready(done) = work(cx) {
                return Poll::Ready(Ok(done));
            }
            // Looks at what the work has just done.
            if patience.poll_unpin(cx).is_ready() {
                return Poll::Ready(Err(Stop::CutOff));
            }
            // Nothing is asked before the shutdown is requested, and the task is the same each time: to ask once is
            // enough to be woken, and each time would be too dear.
            if is_awaited && !shutdown.is_requested() {
                return Poll::Pending;
            }
            is_awaited = true;
            asked.as_mut().poll(cx).map(Err)
        })
        .await
    }
}

/// Serves one connection to its end: the client's, the limits', or the server's.
pub(crate) async fn serve(
    stream: TcpStream,
    answers: Arc<Answers>,
    limits: Limits,
    stop: watch::Receiver<Stop>,
) {
    let pace = Arc::new(Pace::new());
    let mut socket = Socket::new(stream, Arc::clone(&pace));
    let patience = Patience::new(Arc::clone(&pace), limits);
    let mut ending = Ending { patience, stop, shutdown: answers.shutdown().clone() };
    let Some(is_http2) = open(&mut socket, &mut ending, &pace).await else {
        return;
    };
    if is_http2 {
        http2::serve(socket, answers, limits, &pace, &mut ending).await;
    } else {
        http1::serve(socket, &answers, &pace, &mut ending).await;
    }
}

/// Reads until it is clear whether the client speaks HTTP/2; none where it is not going to speak.
async fn open(socket: &mut Socket, ending: &mut Ending, pace: &Pace) -> Option<bool> {
    loop {
        match ending.or(|cx| socket.poll_ahead(cx, OPENING)).await {
            Ok(Ok(is_end)) => {
                if let Some(is_http2) = http2::is_spoken(socket.ahead(), is_end) {
                    return Some(is_http2);
                }
            }
            Err(Stop::No | Stop::Drain) => {}
            Err(Stop::Finish) if pace.has_begun() => {}
            Ok(Err(_)) | Err(Stop::Finish | Stop::CutOff) => return None,
        }
    }
}
