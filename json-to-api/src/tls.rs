//! TLS for https: the web's roots, and the certificates of `--ca-file` besides.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::{CertificateError, ClientConfig, RootCertStore};

use crate::Http;

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
    #[error("failed to set up TLS")]
    Setup(#[source] rustls::Error),
}

/// Trusts the web's roots and those in `ca_file`, and offers one version of HTTP.
///
/// # Errors
/// Names the setting, and the file with it.
pub(crate) fn config(ca_file: Option<&Path>, http: Http) -> Result<ClientConfig, TlsError> {
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
    // RFC 9113, section 3.2, and RFC 7301.
    config.alpn_protocols = match http {
        Http::One => vec![b"http/1.1".to_vec()],
        Http::Two => vec![b"h2".to_vec()],
    };
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

/// What to say where TLS could not be agreed on: no other attempt will do better.
pub(crate) fn advice(error: &rustls::Error) -> String {
    match error {
        // What `openssl req -x509` makes by default; X.509 lets no CA stand for a host by itself.
        rustls::Error::InvalidCertificate(CertificateError::Other(other))
            if other.to_string().contains("CaUsedAsEndEntity") =>
        {
            "the api's certificate is one of a CA (CA:TRUE), which vouches for others only: make one for the host \
             itself (openssl req -x509 -addext basicConstraints=critical,CA:FALSE …)"
                .to_owned()
        }
        rustls::Error::NoApplicationProtocol | rustls::Error::AlertReceived(rustls::AlertDescription::NoApplicationProtocol) => {
            format!("{error}: the api does not speak the version of HTTP that --http says")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(content: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, content).unwrap();
        let message = config(Some(file.path()), Http::One).unwrap_err().to_string();
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
        let message = config(Some(Path::new("/no/such/ca.pem")), Http::Two).unwrap_err().to_string();
        assert_eq!(message, "--ca-file `/no/such/ca.pem` cannot be read");
    }
}
