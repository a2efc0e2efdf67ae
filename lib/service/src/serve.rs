use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::{sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::{self, Stop};
use crate::listener::Acceptor;
use crate::{Shutdown, lingering};

/// So many connections below the limit, each newcomer costs one that asks nothing its place: newcomers need not wait
/// for it to end.
const RESERVE: usize = 64;

/// While there is no room, this often as many connections are asked to make some.
const MAKE_ROOM_EVERY: Duration = Duration::from_millis(10);
const MAKE_ROOM_FOR: usize = 16;

/// What clients may hold, all of them together, and for how long.
///
/// Measured: an HTTP/1.1 connection holds 25 kB with a head that does not end, an HTTP/2 connection 100 kB, a request
/// in hand 7 kB where the application drops its head. With the default numbers that is 280 MiB at the very most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections. Where there are more, those that have asked nothing for longest are closed first; where all are busy,
    /// newcomers wait to be accepted.
    pub connections: usize,
    /// Requests in hand besides the first of each connection: over HTTP/2, where it may have 100. Further ones are
    /// answered 503.
    pub requests: usize,
    /// From a connection's start, or the last reply, to the end of the next request's head. Over HTTP/2 up to twice that.
    pub idle: Duration,
    /// For one request, its body included; then it is answered 408.
    pub request: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            requests: 8192,
            idle: Duration::from_secs(30),
            request: Duration::from_secs(30),
        }
    }
}

/// An HTTP server: HTTP/1.1 and, for clients that begin with its preface, HTTP/2.
///
/// Clones share their limits: one for each thread that serves the same listener.
#[derive(Debug, Clone)]
pub struct Server(Arc<Bounds>);

/// What is left of the limits.
#[derive(Debug)]
pub(crate) struct Bounds {
    pub(crate) limits: Limits,
    connections: Arc<Semaphore>,
    pub(crate) requests: Arc<Semaphore>,
    /// Wakes the connection that has waited for longest for its next request, or for its turn to be woken.
    pub(crate) room_needed: Notify,
}

impl Server {
    /// A server that has its `limits` for itself.
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Bounds {
            limits,
            connections: Arc::new(Semaphore::new(limits.connections)),
            requests: Arc::new(Semaphore::new(limits.requests)),
            room_needed: Notify::new(),
        }))
    }

    /// Answers with `app` on `listener` until `stop` completes. Then no further connections are let in, those that the
    /// system had let in already are served, clients are told to go elsewhere (`Connection: close`, GOAWAY), what is in
    /// hand is answered, and what is left at the deadline of `shutdown` is cut off.
    pub async fn serve(
        &self,
        listener: TcpListener,
        app: Router,
        stop: impl Future<Output = ()>,
        shutdown: &Shutdown,
    ) {
        let connections = TaskTracker::new();
        let asked = Stop { to_finish: CancellationToken::new(), at_once: CancellationToken::new() };
        let app = connection::timed(app, &self.0.limits);
        let start = |(stream, place): (TcpStream, OwnedSemaphorePermit)| {
            let stream = lingering::Stream::new(stream, place);
            connections.spawn(connection::serve(stream, app.clone(), Arc::clone(&self.0), asked.clone()));
        };
        let mut acceptor = Acceptor::new(listener);
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = self.accept(&mut acceptor) => start(accepted),
            }
        }
        self.let_in_last(acceptor).into_iter().for_each(start);
        asked.to_finish.cancel();
        connections.close();
        let deadline = shutdown.deadline().unwrap_or_else(|| Instant::now() + Shutdown::GRACE);
        if timeout_at(deadline.into(), connections.wait()).await.is_err() {
            tracing::warn!("cutting off {} connections", connections.len());
            asked.at_once.cancel();
            connections.wait().await;
        }
    }

    /// The next connection, once there is a place for it.
    async fn accept(&self, acceptor: &mut Acceptor) -> (TcpStream, OwnedSemaphorePermit) {
        let place = self.place().await;
        let stream = acceptor.next().await;
        if self.0.connections.available_permits() < RESERVE.min(self.0.limits.connections / 2) {
            self.0.room_needed.notify_one();
        }
        (stream, place)
    }

    async fn place(&self) -> OwnedSemaphorePermit {
        loop {
            match self.try_place() {
                Ok(place) => return place,
                Err(_) => (0..MAKE_ROOM_FOR).for_each(|_| self.0.room_needed.notify_one()),
            }
            // Not by waiting for a permit, which is first come, first served: another thread's accept loop may have been
            // asked to stop and hold on to its place in the queue.
            sleep(MAKE_ROOM_EVERY).await;
        }
    }

    fn try_place(&self) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        Arc::clone(&self.0.connections).try_acquire_owned()
    }

    /// The connections that the system had let in already, as far as there are places.
    fn let_in_last(&self, acceptor: Acceptor) -> Vec<(TcpStream, OwnedSemaphorePermit)> {
        match acceptor.close() {
            Ok(waiting) => {
                waiting.into_iter().map_while(|stream| Some((stream, self.try_place().ok()?))).collect()
            }
            Err(error) => {
                tracing::warn!("failed to accept the last connections: {error}");
                Vec::new()
            }
        }
    }
}
