//! TLS for https: the web's roots, and the certificates of `--ca-file` besides.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::version::Http;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("--ca-file `{path}` cannot be read")]
    Unreadable {
        path: PathBuf,
        #[source]
        source: pem::Error,
    },
    #[error("--ca-file `{path}` holds no certificate (PEM is read)")]
    Empty { path: PathBuf },
    #[error("--ca-file `{path}` holds a certificate that cannot be used")]
    Unusable {
        path: PathBuf,
        #[source]
        source: rustls::Error,
    },
    #[error("--api-url names a host that no certificate can name")]
    Name(#[source] InvalidDnsNameError),
    #[error("failed to set up TLS")]
    Setup(#[source] rustls::Error),
}

/// What a connection needs to speak TLS with the api.
#[derive(Clone)]
pub(crate) struct Tls {
    /// Offers HTTP/1.1 only.
    http1: TlsConnector,
    /// Offers HTTP/2 as well, or only that.
    http2: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// How HTTP/2 is called where the protocol is agreed on (RFC 9113, section 3.2).
    pub(crate) const HTTP2: &[u8] = b"h2";
    const HTTP1: &[u8] = b"http/1.1";

    /// Trusts the web's roots and those in `ca_file`, for the host of the URL: a name or an IP address.
    ///
    /// # Errors
    /// Names the setting, and the file with it.
    pub(crate) fn new(host: &str, ca_file: Option<&Path>, http: Http) -> Result<Self, TlsError> {
        let name = ServerName::try_from(host.to_owned()).map_err(TlsError::Name)?;
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        if let Some(path) = ca_file {
            add(path, &mut roots)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let offering = |protocols: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
            TlsConnector::from(Arc::new(config))
        };
        let http2: &[&[u8]] = if http == Http::Two { &[Self::HTTP2] } else { &[Self::HTTP2, Self::HTTP1] };
        Ok(Tls { http1: offering(&[Self::HTTP1]), http2: offering(http2), name })
    }

    /// Agrees on TLS over a connection, and on HTTP/2 if that is to be offered, and checks the api's certificate.
    pub(crate) async fn handshake(
        &self,
        stream: TcpStream,
        offers_http2: bool,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let connector = if offers_http2 { &self.http2 } else { &self.http1 };
        connector.connect(self.name.clone(), stream).await
    }
}

/// Checks `--ca-file` by itself: a wrong one is an error also where the URL says http.
pub(crate) fn check(path: &Path) -> Result<(), TlsError> {
    add(path, &mut RootCertStore::empty())
}

fn add(path: &Path, roots: &mut RootCertStore) -> Result<(), TlsError> {
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    let mut found = false;
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        let certificate = certificate.map_err(unreadable)?;
        roots.add(certificate).map_err(|source| TlsError::Unusable { path: path.to_owned(), source })?;
        found = true;
    }
    if found { Ok(()) } else { Err(TlsError::Empty { path: path.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(content: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, content).unwrap();
        let message = check(file.path()).unwrap_err().to_string();
        assert!(message.contains(&file.path().display().to_string()), "{message}");
        message
    }

    #[test]
    fn a_file_without_a_usable_certificate_is_named_with_the_setting() {
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        for content in [&b""[..], b"hello", key.as_bytes()] {
            assert!(message(content).contains("--ca-file") && message(content).contains("no certificate"));
        }
        let broken = b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
        assert!(message(broken).contains("cannot be read"));
        let not_one = b"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
        assert!(message(not_one).contains("cannot be used"));
    }

    #[test]
    fn a_missing_file_is_named_with_the_setting() {
        let message = check(Path::new("/no/such/ca.pem")).unwrap_err().to_string();
        assert_eq!(message, "--ca-file `/no/such/ca.pem` cannot be read");
    }

    #[test]
    fn names_and_addresses_can_be_verified() {
        for host in ["api", "api.example", "10.0.0.7", "::1"] {
            assert!(Tls::new(host, None, Http::Auto).is_ok(), "{host}");
        }
        assert!(Tls::new("a_b..c", None, Http::Auto).is_err());
    }
}
