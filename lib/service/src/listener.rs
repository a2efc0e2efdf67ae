//! Binding and accepting TCP connections, for the admin port and for services.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpStream};

/// Pause after an error that is not one connection's, such as no free file descriptor: it will stand for a while.
const PAUSE: Duration = Duration::from_millis(50);

/// How often such errors are logged while they last.
const COMPLAIN_EVERY: Duration = Duration::from_secs(30);

/// As many connections as the system lets wait, at most.
const MAX_WAITING: usize = 4096;

/// Listens on `address`, the value of `setting`.
///
/// # Errors
/// The address in use, no right to bind it, no such address here: names the setting and the address.
pub async fn bind(setting: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("failed to listen on `{setting} {address}`"))
}

/// Accepts connections whatever happens: no error ends it.
#[derive(Debug)]
pub struct Acceptor {
    listener: TcpListener,
    complained: Option<Instant>,
}

impl Acceptor {
    /// Accepts from `listener`.
    pub fn new(listener: TcpListener) -> Self {
        Self { listener, complained: None }
    }

    /// The next connection, without Nagle's delay. Cancel safe: no connection is lost.
    pub async fn next(&mut self) -> TcpStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    // Refused only for a connection that is already gone.
                    let _ = stream.set_nodelay(true);
                    return stream;
                }
                Err(error) if is_one_connections(&error) => {}
                Err(error) => {
                    self.complain(&error);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Where it listens: with port 0 the system chose.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Stops listening, and returns the connections that the system had let in already: it would reset them.
    ///
    /// # Errors
    /// The system's, before any connection is accepted.
    pub fn close(self) -> io::Result<Vec<TcpStream>> {
        let listener = self.listener.into_std()?;
        let mut waiting = Vec::new();
        for _ in 0..MAX_WAITING {
            match listener.accept().and_then(|(stream, _)| adopt(stream)) {
                Ok(stream) => waiting.push(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // One connection's, or all further ones': there is no time left to wait for better.
                Err(_) => {}
            }
        }
        Ok(waiting)
    }

    fn complain(&mut self, error: &io::Error) {
        let now = Instant::now();
        if is_due(self.complained, now) {
            self.complained = Some(now);
            tracing::warn!("failed to accept a connection, trying again: {error}");
        }
    }
}

fn adopt(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    let stream = TcpStream::from_std(stream)?;
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Whether the connection that was to be accepted is broken, and the next one may be sound.
fn is_one_connections(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

fn is_due(last: Option<Instant>, now: Instant) -> bool {
    last.is_none_or(|last| now.saturating_duration_since(last) >= COMPLAIN_EVERY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_lasts_is_logged_once_in_a_while() {
        let now = Instant::now();
        assert!(is_due(None, now));
        assert!(!is_due(Some(now), now + COMPLAIN_EVERY / 2));
        assert!(is_due(Some(now), now + COMPLAIN_EVERY));
    }

    #[tokio::test]
    async fn connections_come_without_nagles_delay() {
        let listener = bind("--listen", ([127, 0, 0, 1], 0).into()).await.unwrap();
        let mut acceptor = Acceptor::new(listener);
        let address = acceptor.local_addr().unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        let accepted = acceptor.next().await;
        assert_eq!(accepted.peer_addr().unwrap(), client.local_addr().unwrap());
        assert!(accepted.nodelay().unwrap());
    }

    #[tokio::test]
    async fn connections_that_wait_are_not_lost_when_it_stops_listening() {
        let listener = bind("--listen", ([127, 0, 0, 1], 0).into()).await.unwrap();
        let acceptor = Acceptor::new(listener);
        let address = acceptor.local_addr().unwrap();
        let clients: Vec<_> = (0..3).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        let waiting = acceptor.close().unwrap();
        let peers: Vec<_> = waiting.iter().map(|stream| stream.peer_addr().unwrap()).collect();
        let expected: Vec<_> = clients.iter().map(|client| client.local_addr().unwrap()).collect();
        assert_eq!(peers, expected);
        assert!(waiting[0].nodelay().unwrap());
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_an_error_that_names_setting_and_address() {
        let elsewhere = ([192, 0, 2, 1], 80).into();
        let error = bind("--listen", elsewhere).await.unwrap_err();
        assert_eq!(error.to_string(), "failed to listen on `--listen 192.0.2.1:80`");
    }
}
