//! What all senders share of the way to the api: where it is, how connections are made, which are left over.

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::connection::{Broken, Connection};
use crate::lifetime::Lifetime;
use crate::resolver::Resolver;
use crate::target::Target;
use crate::tls::Tls;

/// So many addresses are tried in one attempt.
const ADDRESSES: usize = 3;

/// Why an attempt got no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("failed to look up `{host}`")]
    Lookup {
        host: String,
        #[source]
        source: io::Error,
    },
    #[error("failed to connect to {address}")]
    Connect {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("failed to agree on TLS with {address}")]
    Tls {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("failed to speak HTTP with {address}")]
    Http {
        address: SocketAddr,
        #[source]
        source: hyper::Error,
    },
    #[error(transparent)]
    Broken(Broken),
    /// On a connection that was used before: the api may have closed it while nothing was on it.
    #[error(transparent)]
    BrokenAfterUse(Broken),
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

impl Failure {
    /// Returns whether trust is missing rather than the connection: no other attempt will do better.
    pub(crate) fn is_misconfigured(&self) -> bool {
        // What rustls finds wrong comes as invalid data; what ends the connection under it does not.
        matches!(self, Failure::Tls { source, .. } if source.kind() == io::ErrorKind::InvalidData)
    }
}

/// The way to the api.
pub(crate) struct Client {
    pub(crate) target: Target,
    /// For one attempt, from the look-up to the end of the reply.
    pub(crate) timeout: Duration,
    tls: Option<Tls>,
    resolver: Resolver,
    lifetime: Lifetime,
    /// Connections of senders that have ended: batches may be small and many.
    spare: Mutex<Vec<Connection>>,
}

impl Client {
    pub(crate) fn new(
        target: Target,
        tls: Option<Tls>,
        fixed: Option<Vec<SocketAddr>>,
        concurrency: u16,
        timeout: Duration,
    ) -> Self {
        let resolver = Resolver::new(&target.host, target.port, fixed);
        Client {
            target,
            timeout,
            tls,
            resolver,
            lifetime: Lifetime::of(concurrency),
            spare: Mutex::default(),
        }
    }

    /// Leaves a connection to whoever needs one next.
    pub(crate) fn leave(&self, connection: Connection) {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    /// A connection that somebody left, if there is one of use.
    pub(crate) async fn take_spare(&self) -> Option<Connection> {
        loop {
            let mut connection = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if connection.is_usable().await {
                return Some(connection);
            }
        }
    }

    /// Closes what was left and is too old by now.
    pub(crate) fn sweep(&self) {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).retain(|connection| !connection.is_spent());
    }

    /// Makes a connection, to the next address that lets it.
    ///
    /// # Errors
    /// The failure of the last address tried.
    pub(crate) async fn connect(&self) -> Result<Connection, Failure> {
        let mut tried = 1;
        loop {
            let looked_up = self.resolver.deal().await;
            let (address, count) =
                looked_up.map_err(|source| Failure::Lookup { host: self.target.host.clone(), source })?;
            let tries = count.min(ADDRESSES);
            // An address that swallows everything must leave time for the others.
            let share = self.timeout / u32::try_from(tries).unwrap_or(1);
            let outcome = timeout(share, self.open(address))
                .await
                .unwrap_or(Err(Failure::Connect { address, source: io::ErrorKind::TimedOut.into() }));
            match outcome {
                Err(failure) if tried < tries && !failure.is_misconfigured() => {
                    tracing::debug!(%address, error = &failure as &dyn std::error::Error, "the next address is tried");
                    tried += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn open(&self, address: SocketAddr) -> Result<Connection, Failure> {
        let connect = |source| Failure::Connect { address, source };
        let stream = TcpStream::connect(address).await.map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        let expires = Instant::now() + self.lifetime.draw(&mut fastrand::Rng::new());
        let opened = match &self.tls {
            None => Connection::open(stream, expires).await,
            Some(tls) => {
                let stream =
                    tls.handshake(stream).await.map_err(|source| Failure::Tls { address, source })?;
                Connection::open(stream, expires).await
            }
        };
        opened.map_err(|source| Failure::Http { address, source })
    }
}
