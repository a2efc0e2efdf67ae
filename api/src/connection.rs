use std::sync::Arc;

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
}

impl Ending {
    /// Whether the server has asked to finish.
    pub(crate) fn is_to_finish(&self) -> bool {
        *self.stop.borrow() == Stop::Finish
    }

    /// What the server asks next; to end now also where the client has taken too long. Looks at what a connection has
    /// just done: to be polled after it.
    pub(crate) async fn next(&mut self) -> Stop {
        tokio::select! {
            biased;
            () = &mut self.patience => Stop::CutOff,
            changed = self.stop.changed() => match changed {
                Ok(()) => *self.stop.borrow(),
                // The server is gone without a word.
                Err(_) => Stop::CutOff,
            }
        }
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
    let mut ending = Ending { patience: Patience::new(Arc::clone(&pace), limits), stop };
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
        tokio::select! {
            biased;
            read = socket.read_ahead(OPENING) => match read {
                Ok((bytes, is_end)) => {
                    if let Some(is_http2) = http2::is_spoken(bytes, is_end) {
                        return Some(is_http2);
                    }
                }
                Err(_) => return None,
            },
            stop = ending.next() => match stop {
                Stop::No | Stop::Drain => {}
                Stop::Finish if pace.has_begun() => {}
                Stop::Finish | Stop::CutOff => return None,
            }
        }
    }
}
