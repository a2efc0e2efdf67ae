use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Context as _;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The certificate that is served; another one from one connection to the next.
#[derive(Debug, Default)]
pub struct Resolver(RwLock<Option<Arc<CertifiedKey>>>);

impl Resolver {
    /// Serves this certificate, in PEM, from now on.
    ///
    /// # Errors
    /// It is none, or the key is not its.
    pub fn set(&self, certificate: &str, key: &str) -> anyhow::Result<()> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate.as_bytes())
            .collect::<Result<_, _>>()
            .context("failed to read the certificate")?;
        let key =
            PrivateKeyDer::from_pem_slice(key.as_bytes()).context("failed to read the certificate's key")?;
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider())
            .context("the certificate and its key are not for each other")?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(certified));
        Ok(())
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
