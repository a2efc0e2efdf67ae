//! TLS for https: the web's roots, and the certificates of `--ca-file` besides.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::{ClientConfig, RootCertStore};

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No PEM file.
    #[error("--ca-file `{path}` cannot be read")]
    Unreadable {
        /// The setting's.
        path: PathBuf,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// PEM without a certificate.
    #[error("--ca-file `{path}` holds no certificate (PEM is read)")]
    Empty {
        /// The setting's.
        path: PathBuf,
    },
    /// No certificate that anything could be checked against.
    #[error("--ca-file `{path}` holds a certificate that cannot be used")]
    Unusable {
        /// The setting's.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The library refuses its own defaults.
    #[error("failed to set up TLS")]
    Setup(#[source] rustls::Error),
}

/// Trusts the web's roots and those in `ca_file`, and offers one protocol by ALPN (RFC 7301): `http/1.1` or `h2`.
///
/// # Errors
/// Names the setting, and the file with it.
pub fn config(ca_file: Option<&Path>, protocol: &[u8]) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(path) = ca_file {
        add(path, &mut roots)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(config)
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

/// rustls's error in a chain, where it comes wrapped in I/O errors; `None` where the connection just ended.
pub fn error_of<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    match cause.downcast_ref::<std::io::Error>() {
        // An I/O error is not the source of the one around it.
        Some(io) => error_of(io.get_ref()?),
        None => cause.downcast_ref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTTP_1: &[u8] = b"http/1.1";
    const HTTP_2: &[u8] = b"h2";

    fn message(content: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, content).unwrap();
        let message = config(Some(file.path()), HTTP_1).unwrap_err().to_string();
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
        let message = config(Some(Path::new("/no/such/ca.pem")), HTTP_2).unwrap_err().to_string();
        assert_eq!(message, "--ca-file `/no/such/ca.pem` cannot be read");
    }
}
