use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::Request;
use axum::response::Response;
use axum::serve::Listener;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::{Shutdown, connection};

/// So often a connection is looked at within [`Limits::idle`].
const LOOKS: u32 = 30;

/// What clients may hold, all of them together, and for how long.
///
/// Measured: an HTTP/1.1 connection holds 25 kB with a head that does not end, an HTTP/2 connection 100 kB, a request
/// in hand 7 kB where the application drops its head. With the default numbers that is 280 MiB at the very most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections; newcomers beyond them wait. Not for long: while more than half are taken, one that asks nothing is
    /// closed after a thirtieth of `idle`, to twice that.
    pub connections: usize,
    /// Requests in hand besides the first of each connection: over HTTP/2, where it may have 100. Further ones are
    /// answered 503.
    pub requests: usize,
    /// From a connection's start, or the last reply, to the end of the next request's head.
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
pub struct Server {
    pub(crate) limits: Limits,
    connections: Arc<Semaphore>,
    pub(crate) requests: Arc<Semaphore>,
}

impl Server {
    /// A server that has its `limits` for itself.
    pub fn new(limits: Limits) -> Self {
        let [connections, requests] = [limits.connections, limits.requests].map(Semaphore::new).map(Arc::new);
        Self { limits, connections, requests }
    }

    /// Answers with `app` on `listener` until `stop` completes. Then no further connections are let in; those that there
    /// are end as soon as they have been looked at, a thirtieth of [`Limits::idle`] later: who asks nothing at once, others
    /// when what is in hand is answered. What is left at the deadline of `shutdown` is cut off.
    pub async fn serve<S>(
        &self,
        listener: TcpListener,
        app: S,
        stop: impl Future<Output = ()>,
        shutdown: &Shutdown,
    ) where
        S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send + 'static>,
        S: Clone + Send + Sync + 'static,
    {
        self.serve_over(listener, |stream| ready(Ok(stream)), app, stop, shutdown).await;
    }

    /// As [`serve`](Self::serve), over what `secure` makes of each connection, such as TLS; it has [`Limits::idle`] for it.
    pub async fn serve_over<S, T, I, F>(
        &self,
        mut listener: TcpListener,
        secure: T,
        app: S,
        stop: impl Future<Output = ()>,
        shutdown: &Shutdown,
    ) where
        S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send + 'static>,
        S: Clone + Send + Sync + 'static,
        T: Fn(TcpStream) -> F,
        F: Future<Output = io::Result<I>> + Send + 'static,
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stopping = CancellationToken::new();
        let (running, mut ended) = mpsc::channel::<Infallible>(1);
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = async {
                let place = Arc::clone(&self.connections).acquire_owned().await;
                (place, Listener::accept(&mut listener).await.0)
            };
            let (place, stream) = tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = accepted => accepted,
            };
            // Refused only for a connection that is already gone.
            let _ = stream.set_nodelay(true);
            let secured = timeout(self.limits.idle, secure(stream));
            let (app, server) = (app.clone(), self.clone());
            let (stopping, shutdown) = (stopping.clone(), shutdown.clone());
            let held = (place, running.clone());
            tokio::spawn(async move {
                // Else the client is too slow, or speaks something else.
                if let Ok(Ok(stream)) = secured.await {
                    connection::serve(stream, app, server, stopping, shutdown).await;
                }
                drop(held);
            });
        }
        drop((listener, running));
        stopping.cancel();
        let _: Option<Infallible> = ended.recv().await;
    }

    /// How often connections are looked at.
    pub(crate) fn look_every(&self) -> Duration {
        self.limits.idle / LOOKS
    }

    /// As how many looks in a row a connection may ask nothing: one, while there is little room for others.
    pub(crate) fn patience(&self) -> u32 {
        if self.connections.available_permits() < self.limits.connections / 2 { 1 } else { LOOKS }
    }
}

/// Listens on `address`, the value of `setting`.
///
/// # Errors
/// The address in use, no right to bind it, no such address here: names the setting and the address.
pub async fn bind(setting: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("failed to listen on `{setting} {address}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_of_another_machine_is_an_error_that_names_setting_and_address() {
        let elsewhere = ([192, 0, 2, 1], 80).into();
        let error = bind("--listen", elsewhere).await.unwrap_err();
        assert_eq!(error.to_string(), "failed to listen on `--listen 192.0.2.1:80`");
    }
}
