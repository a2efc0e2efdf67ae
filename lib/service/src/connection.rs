use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::{Server, Shutdown};

/// The most that a head may have, in bytes: also what is read and written at once.
const MAX_HEAD: usize = 16 << 10;

/// Requests in hand on an HTTP/2 connection.
const MAX_STREAMS: u32 = 100;

/// How much of the bodies on an HTTP/2 connection may come before it is read, in bytes; the least that there is.
const WINDOW: u32 = (64 << 10) - 1;

/// How long a client that was told to go elsewhere may ask nothing before it is let go, to twice that.
const FAREWELL: Duration = Duration::from_millis(500);

/// Serves one connection to its end: the client's, the limits', or the server's.
pub(crate) async fn serve<S, I>(
    stream: I,
    app: S,
    server: Server,
    stopping: CancellationToken,
    shutdown: Shutdown,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send + 'static> + Clone,
{
    let activity = Arc::new(Activity::default());
    let (builder, service) = (builder(), service_fn(|request| answer(request, &app, &server, &activity)));
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // An error is the client's: it went away, was too slow, or spoke no HTTP.
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = activity.over(&server, &stopping) => {}
    }
    connection.as_mut().graceful_shutdown();
    let silent = async { while !activity.is_silent_for(FAREWELL).await {} };
    tokio::select! {
        biased;
        _ = connection => {}
        () = silent => {}
        () = sleep(shutdown.remaining()) => {}
    }
}

/// What hyper limits by default besides suffices: lines of a head (100); over HTTP/2 its size (16 kB) and resets (20).
fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .max_buf_size(MAX_HEAD)
        // Who asks and ends its side is answered: `nc -N` and its like.
        .half_close(true)
        // Head and body in one buffer: cheaper for replies this small.
        .writev(false);
    builder
        .http2()
        .max_concurrent_streams(MAX_STREAMS)
        .max_send_buf_size(MAX_HEAD)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    builder
}

/// Answers a request, unless too many are in hand, or it takes too long.
fn answer<S>(
    request: Request<Incoming>,
    app: &S,
    server: &Server,
    activity: &Arc<Activity>,
) -> impl Future<Output = Result<Response, Infallible>> + Send + 'static
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send + 'static> + Clone,
{
    // A connection's only one is always taken: those who have hundreds keep only one another from an answer.
    let needs_permit = activity.is_in_hand();
    let permit = needs_permit.then(|| Arc::clone(&server.requests).try_acquire_owned()).transpose();
    let in_hand = activity.begin();
    // Handlers and routers are always ready, and do nothing before they are polled.
    let reply = timeout(server.limits.request, app.clone().call(request));
    async move {
        let Ok(permit) = permit else {
            return Ok(StatusCode::SERVICE_UNAVAILABLE.into_response());
        };
        let Ok(Ok(mut reply)) = reply.await else { return Ok(StatusCode::REQUEST_TIMEOUT.into_response()) };
        if let Some(open) = reply.extensions_mut().remove::<KeepOpen>() {
            // Given to one reply only.
            let _ = open.0.set(in_hand);
            return Ok(reply);
        }
        Ok(keep_while_streamed(reply, (in_hand, permit)))
    }
}

/// A reply without a known end, such as a stream of events, is in hand until it ends.
fn keep_while_streamed(reply: Response, held: impl Send + 'static) -> Response {
    if reply.body().size_hint().exact().is_some() {
        return reply;
    }
    reply.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _ = &held;
            frame
        }))
    })
}

/// Says instead of a body how long its connection is to stay open: given to the server as an extension of the reply, it
/// keeps that open as long as a clone of it lives.
///
/// Whoever holds that clone lets go of a client that reads nothing, and of all clients on a shutdown.
#[derive(Debug, Clone, Default)]
pub struct KeepOpen(Arc<OnceLock<Arc<Activity>>>);

/// What a connection's client asks; each request in hand has a clone.
#[derive(Debug, Default)]
struct Activity {
    has_begun: AtomicBool,
}

impl Activity {
    fn begin(self: &Arc<Self>) -> Arc<Self> {
        self.has_begun.store(true, Relaxed);
        Arc::clone(self)
    }

    fn is_in_hand(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1
    }

    /// Whether nothing is asked for so long, nor in hand then.
    async fn is_silent_for(self: &Arc<Self>, span: Duration) -> bool {
        self.has_begun.store(false, Relaxed);
        sleep(span).await;
        !self.has_begun.load(Relaxed) && !self.is_in_hand()
    }

    /// Completes when nothing is asked for longer than the server bears, and soon after it is stopping.
    ///
    /// One timer a connection: hyper's own would be set anew for each request, and none of its knows an HTTP/2 client that
    /// only pings, or one that never reads.
    async fn over(self: &Arc<Self>, server: &Server, stopping: &CancellationToken) {
        let mut looks = 0;
        while looks < server.patience() {
            let is_silent = self.is_silent_for(server.look_every()).await;
            if stopping.is_cancelled() {
                break;
            }
            looks = if is_silent { looks + 1 } else { 0 };
        }
    }
}
