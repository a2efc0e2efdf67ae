//! What all senders share of the way to the api: where it is, how connections are made, which are left over.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::connection::Broken;
use crate::http1;
use crate::http2::{OpenError, Trunk};
use crate::lifetime::{LONGEST, Lifetime};
use crate::resolver::Resolver;
use crate::stream::Stream;
use crate::target::Target;
use crate::tls::Tls;
use crate::version::{Http, Versions};

/// So many addresses are tried in one attempt.
const ADDRESSES: usize = 3;
/// How long an api may take to say that it speaks HTTP/2, before HTTP/1.1 is tried.
const FIRST_WORDS: Duration = Duration::from_secs(2);

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
    #[error("failed to speak HTTP/2 with {address}")]
    Http2 {
        address: SocketAddr,
        #[source]
        source: OpenError,
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
    /// Returns whether the set-up is wrong rather than the connection: no other attempt will do better.
    pub(crate) fn is_misconfigured(&self) -> bool {
        match self {
            // What rustls finds wrong comes as invalid data; what ends the connection under it does not.
            Failure::Tls { source, .. } => source.kind() == io::ErrorKind::InvalidData,
            Failure::Http2 { source: OpenError::Http1, .. } => true,
            _ => false,
        }
    }
}

/// A connection that was just made.
pub(crate) enum Opened {
    Http1(http1::Connection),
    Http2(Trunk),
}

/// The way to the api.
pub(crate) struct Client {
    pub(crate) target: Target,
    /// For one attempt, from the look-up to the end of the reply.
    pub(crate) timeout: Duration,
    pub(crate) versions: Versions,
    tls: Option<Tls>,
    resolver: Resolver,
    /// Of connections of HTTP/1.1, of which each sender has one.
    http1: Lifetime,
    /// Of connections of HTTP/2, of which each crew has one.
    http2: Lifetime,
    spare: Mutex<Spare>,
}

/// Connections of senders that have ended: batches may be small and many.
#[derive(Default)]
struct Spare {
    connections: Vec<Opened>,
    /// Somebody will close those that become too old.
    is_swept: bool,
}

impl Spare {
    /// Closes what is too old by now; false: nothing is left.
    fn sweep(&mut self) -> bool {
        self.connections.retain(|connection| match connection {
            Opened::Http1(connection) => !connection.is_spent(),
            Opened::Http2(trunk) => !trunk.driver.is_spent(),
        });
        self.is_swept = !self.connections.is_empty();
        self.is_swept
    }
}

impl Client {
    /// For so many senders, in so many crews.
    pub(crate) fn new(
        target: Target,
        tls: Option<Tls>,
        fixed: Option<Vec<SocketAddr>>,
        http: Http,
        (senders, crews): (u16, u16),
        timeout: Duration,
    ) -> Self {
        let resolver = Resolver::new(&target.host, target.port, fixed);
        Client {
            target,
            timeout,
            versions: Versions::new(http),
            tls,
            resolver,
            http1: Lifetime::of(senders),
            http2: Lifetime::of(crews),
            spare: Mutex::default(),
        }
    }

    /// Leaves a connection to whoever needs one next; closes it once it is too old.
    pub(crate) fn leave(self: &Arc<Self>, connection: Opened) {
        let mut spare = self.spare();
        spare.connections.push(connection);
        if !std::mem::replace(&mut spare.is_swept, true) {
            let client = Arc::clone(self);
            tokio::spawn(async move {
                while client.spare().sweep() {
                    sleep(LONGEST).await;
                }
            });
        }
    }

    /// A connection that somebody left, if there is one. Whether it is of use is not known.
    pub(crate) fn take_spare(&self) -> Option<Opened> {
        self.spare().connections.pop()
    }

    fn spare(&self) -> MutexGuard<'_, Spare> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a connection, to the next address that lets it.
    ///
    /// # Errors
    /// The failure of the last address tried.
    pub(crate) async fn connect(&self) -> Result<Opened, Failure> {
        let mut tried = 1;
        loop {
            let looked_up = self.resolver.deal().await;
            let (address, count) =
                looked_up.map_err(|source| Failure::Lookup { host: self.target.host.clone(), source })?;
            let tries = count.min(ADDRESSES);
            // An address that swallows everything must leave time for the others.
            let share = self.timeout / u32::try_from(tries).unwrap_or(1);
            let outcome = timeout(share, self.open(address, share))
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

    /// Connects to an address, which should not take longer than `limit`.
    async fn open(&self, address: SocketAddr, limit: Duration) -> Result<Opened, Failure> {
        let offers_http2 = self.versions.may_be_http2(Instant::now());
        let (stream, speaks_http2) = self.reach(address, offers_http2).await?;
        if !speaks_http2 {
            return Ok(Opened::Http1(http1::Connection::new(stream, self.expiry(self.http1))));
        }
        let trunk = Trunk::open(stream, self.expiry(self.http2));
        let error = match timeout(FIRST_WORDS.min(limit / 2), trunk).await {
            Ok(Ok(trunk)) => return Ok(Opened::Http2(trunk)),
            Ok(Err(error)) => error,
            Err(_) => OpenError::Silent,
        };
        if self.versions.setting != Http::Auto || self.tls.is_some() {
            return Err(Failure::Http2 { address, source: error });
        }
        match error {
            OpenError::Http1 => self.versions.is_http1(Instant::now()),
            _ => self.versions.may_be_http1(Instant::now()),
        }
        tracing::debug!(%address, %error, "no HTTP/2: HTTP/1.1 is spoken");
        let (stream, _) = self.reach(address, false).await?;
        Ok(Opened::Http1(http1::Connection::new(stream, self.expiry(self.http1))))
    }

    /// Makes a stream, and says whether HTTP/2 is to be spoken on it.
    async fn reach(&self, address: SocketAddr, offers_http2: bool) -> Result<(Stream, bool), Failure> {
        let connect = |source| Failure::Connect { address, source };
        let stream = TcpStream::connect(address).await.map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        let Some(tls) = &self.tls else {
            return Ok((Box::new(stream), offers_http2));
        };
        let stream = tls.handshake(stream, offers_http2).await;
        let stream = stream.map_err(|source| Failure::Tls { address, source })?;
        let speaks_http2 = stream.get_ref().1.alpn_protocol() == Some(Tls::HTTP2);
        if offers_http2 && !speaks_http2 {
            if self.versions.setting == Http::Two {
                return Err(Failure::Http2 { address, source: OpenError::Http1 });
            }
            self.versions.is_http1(Instant::now());
        }
        Ok((Box::new(stream), speaks_http2))
    }

    fn expiry(&self, lifetime: Lifetime) -> Instant {
        Instant::now() + lifetime.draw(&mut fastrand::Rng::new())
    }
}
