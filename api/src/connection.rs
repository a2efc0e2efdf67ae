use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::answer::Answers;
use crate::pace::{Pace, Phase};
use crate::patience::{Limits, Patience};
use crate::socket::Socket;

/// The longest head, and the most of a body that is in memory at once, in bytes.
const MAX_BUFFER: usize = 64 << 10;

/// What the server asks of its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    No,
    /// Answer what has begun, then end.
    Finish,
    /// End now.
    CutOff,
}

/// Serves one connection to its end: the client's, the limits', or the server's.
pub(crate) async fn serve(
    stream: TcpStream,
    answers: Arc<Answers>,
    limits: Limits,
    mut stop: watch::Receiver<Stop>,
) {
    let pace = Arc::new(Pace::new());
    let socket = TokioIo::new(Socket::new(stream, Arc::clone(&pace)));
    let service = service_fn(|request| answers.respond(request, &pace));
    let connection = http1::Builder::new()
        // Clients may end their side as soon as they have asked.
        .half_close(true)
        .max_buf_size(MAX_BUFFER)
        // Patience does it, for less, and with a longer limit for idle connections.
        .header_read_timeout(None)
        .serve_connection(socket, service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut patience = pin!(Patience::new(Arc::clone(&pace), limits));
    loop {
        tokio::select! {
            // Patience looks at what the connection has just done.
            biased;
            // An error is the client's: it broke off, or spoke no HTTP.
            _ = connection.as_mut() => return,
            () = patience.as_mut() => return,
            changed = stop.changed() => match *stop.borrow() {
                // The server is gone without a word.
                _ if changed.is_err() => return,
                Stop::No => {}
                // hyper would drop a head that has begun; its reply will say `Connection: close`.
                Stop::Finish if pace.phase() == Phase::Head => {}
                Stop::Finish => connection.as_mut().graceful_shutdown(),
                Stop::CutOff => return,
            }
        }
    }
}
