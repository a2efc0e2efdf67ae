//! What connections are made of: TCP, or TLS over it.

use tokio::io::{AsyncRead, AsyncWrite};

/// A way to the api and back, whatever it is made of.
pub(crate) type Stream = Box<dyn Duplex>;

/// Reads and writes.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}
