//! All that HTTP/1 may be, by hyper.

use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use crate::answer::Answers;
use crate::connection::{Ending, Stop};
use crate::pace::{Pace, Phase};
use crate::socket::Socket;

/// The longest head, and the most of a body that is in memory at once, in bytes.
const MAX_BUFFER: usize = 64 << 10;

/// Serves a connection to its end.
pub(super) async fn serve(socket: Socket, answers: &Answers, pace: &Arc<Pace>, ending: &mut Ending) {
    let service = service_fn(|request| answers.respond(request, pace));
    let connection = http1::Builder::new()
        // Clients may end their side as soon as they have asked.
        .half_close(true)
        .max_buf_size(MAX_BUFFER)
        // Patience does it, for less, and with a longer limit for idle connections.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    loop {
        match ending.or(|cx| connection.as_mut().poll(cx)).await {
            // An error is the client's: it broke off, or spoke no HTTP.
            Ok(_) | Err(Stop::CutOff) => return,
            // Replies say so.
            Err(Stop::No | Stop::Drain) => {}
            // hyper would drop a head that has begun; its reply will say `Connection: close`.
            Err(Stop::Finish) if pace.phase() == Phase::Head => {}
            Err(Stop::Finish) => connection.as_mut().graceful_shutdown(),
        }
    }
}
