use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use axum::Router;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;
use tower_http::timeout::Timeout;

use crate::lingering;
use crate::serve::{Bounds, Limits};

/// The most that a head may have, in bytes: also what is read and written at once.
const MAX_HEAD: u32 = 16 << 10;

/// The most lines that a head may have.
const MAX_HEADERS: usize = 100;

/// Requests in hand on an HTTP/2 connection.
const MAX_STREAMS: u32 = 100;

/// How much of the bodies on an HTTP/2 connection may come before it is read, in bytes; the least that there is.
const WINDOW: u32 = (64 << 10) - 1;

/// Streams that a client has reset before they were looked at; then the connection ends.
const MAX_RESETS: usize = 20;

/// How often an HTTP/2 client that is silent is asked whether it is there, and how long it may take to answer.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client that was told to go elsewhere may ask nothing before it is let go, to twice that.
const FAREWELL: Duration = Duration::from_millis(500);

/// What the server asks of its connections.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    /// Answer what is in hand, then end.
    pub(crate) to_finish: CancellationToken,
    /// End now.
    pub(crate) at_once: CancellationToken,
}

/// `app`, whose requests are answered 408 when they take too long.
pub(crate) fn timed(app: Router, limits: &Limits) -> Timeout<Router> {
    Timeout::with_status_code(app, StatusCode::REQUEST_TIMEOUT, limits.request)
}

/// Serves one connection to its end: the client's, the limits', or the server's.
pub(crate) async fn serve(stream: lingering::Stream, app: Timeout<Router>, bounds: Arc<Bounds>, stop: Stop) {
    let activity = Activity::default();
    let builder = builder(&bounds.limits);
    let service = service_fn(|request| answer(request, &app, &bounds, &activity));
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ending = async {
        tokio::select! {
            () = activity.silent(bounds.limits.idle) => {}
            () = activity.makes_room(&bounds) => {}
            () = stop.to_finish.cancelled() => {}
        }
    };
    // Polled when it is woken only, not whenever the connection is.
    let mut ending = FuturesUnordered::from_iter([ending]);
    // An error is the client's: it went away, was too slow, or spoke no HTTP.
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        _ = ending.next() => {}
    }
    // Who has just been let in may have asked what nobody has read yet.
    let is_new = activity.is_new() && stop.to_finish.is_cancelled();
    if is_new && timeout(FAREWELL, connection.as_mut()).await.is_ok() {
        return;
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        biased;
        _ = connection => {}
        () = activity.silent(FAREWELL) => {}
        () = stop.at_once.cancelled() => {}
    }
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // It runs between requests too.
        .header_read_timeout(limits.idle)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD as usize)
        // Who asks and ends its side is answered: `nc -N` and its like.
        .half_close(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD)
        .max_frame_size(MAX_HEAD)
        .max_send_buf_size(MAX_HEAD as usize)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

/// Answers a request, unless too many are in hand.
fn answer(
    request: Request<Incoming>,
    app: &Timeout<Router>,
    bounds: &Bounds,
    activity: &Activity,
) -> impl Future<Output = Result<Response, Infallible>> + Send + 'static {
    activity.begun.fetch_add(1, Relaxed);
    // A connection's only one is always taken: those who have hundreds keep only one another from an answer.
    let needs_permit = !activity.in_hand.is_empty();
    let permit = needs_permit.then(|| Arc::clone(&bounds.requests).try_acquire_owned()).transpose();
    let in_hand = activity.in_hand.token();
    let reply = match permit {
        // Routers are always ready.
        Ok(permit) => Ok((permit, app.clone().call(request))),
        Err(_) => Err(StatusCode::SERVICE_UNAVAILABLE),
    };
    async move {
        let _in_hand = in_hand;
        match reply {
            Ok((_permit, reply)) => reply.await,
            Err(status) => Ok(status.into_response()),
        }
    }
}

/// What a connection's client asks.
#[derive(Default)]
struct Activity {
    /// Requests so far.
    begun: AtomicUsize,
    in_hand: TaskTracker,
}

impl Activity {
    fn is_new(&self) -> bool {
        self.begun.load(Relaxed) == 0
    }

    /// Completes when nothing was asked and nothing in hand for `limit`, to twice that: it looks so often, so that
    /// requests cost no look at a clock.
    async fn silent(&self, limit: Duration) {
        loop {
            let begun = self.begun.load(Relaxed);
            sleep(limit).await;
            if self.in_hand.is_empty() && self.begun.load(Relaxed) == begun {
                return;
            }
        }
    }

    /// Completes when it is this connection's turn to make room for another, and it has nothing in hand.
    async fn makes_room(&self, bounds: &Bounds) {
        loop {
            bounds.room_needed.notified().await;
            if self.in_hand.is_empty() {
                return;
            }
        }
    }
}
