//! What the webhook is trusted by.
//!
//! Without a directory of certificates, the controllers share a Secret: an authority of their own, made once, and a
//! certificate that it signed, renewed a month before its end. Whoever is first writes it; the version in it lets one of
//! several win. The authority's certificate is what the webhook's configurations are given as `caBundle`; where it is
//! renewed, the earlier one stays trusted, since others may still serve what that one signed.

mod bundle;
mod material;
mod resolver;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::sleep;

pub use crate::certificate::material::Material;
pub use crate::certificate::resolver::Resolver;

/// The Secret that the controllers share.
pub const SECRET: &str = "sequential-operator-webhook-cert";

/// The Service that the API server reaches the webhook by.
pub const SERVICE: &str = "sequential-operator-webhook-service";

/// How often the certificate is looked at, and whether the API server still trusts it: who installs the configurations
/// anew takes the authority away.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How soon what failed is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Where the certificate comes from.
pub enum Source {
    /// Files `tls.crt` and `tls.key` that somebody else renews, who also says whom to trust.
    Directory(PathBuf),
    /// The Secret of this namespace.
    Secret {
        /// Reaches it.
        client: Client,
        /// The controllers' own.
        namespace: String,
    },
}

impl Source {
    /// Gives `resolver` a certificate as soon as there is one, and each newer one, for ever. `on_change` is told what is
    /// wrong, or that nothing is any more.
    pub async fn keep_fresh(self, resolver: &Arc<Resolver>, on_change: impl Fn(Result<(), String>)) {
        loop {
            let outcome = self.refresh(resolver).await;
            let pause = if outcome.is_ok() { LOOK_EVERY } else { RETRY_AFTER };
            if let Err(error) = &outcome {
                tracing::warn!("failed to get the webhook's certificate, trying again: {error:#}");
            }
            on_change(outcome.map_err(|error| format!("{error:#}")));
            sleep(pause).await;
        }
    }

    async fn refresh(&self, resolver: &Resolver) -> anyhow::Result<()> {
        match self {
            Self::Directory(directory) => {
                let read = |name: &str| read(&directory.join(name));
                resolver.set(&read("tls.crt")?, &read("tls.key")?)
            }
            Self::Secret { client, namespace } => {
                let secrets = Api::namespaced(client.clone(), namespace);
                let material = share(&secrets, namespace, Timestamp::now()).await?;
                resolver.set(&material.certificate, &material.key)?;
                bundle::publish(client, &material.authority).await
            }
        }
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("failed to read `{}`", path.display()))
}

/// The Secret's content, made or renewed where it is due.
///
/// # Errors
/// The Secret cannot be read or written; somebody else wrote it meanwhile.
pub async fn share(secrets: &Api<Secret>, namespace: &str, now: Timestamp) -> anyhow::Result<Material> {
    let found = secrets.get_opt(SECRET).await.context("failed to read the certificate's secret")?;
    let before = found.as_ref().and_then(Material::from_secret);
    if let Some(material) = before.as_ref().filter(|material| !material.is_due(now)) {
        return Ok(material.clone());
    }
    let material = Material::make(before.as_ref(), SERVICE, namespace, now)?;
    let secret = material.to_secret(SECRET, found.as_ref());
    let parameters = PostParams::default();
    let written = match found {
        Some(_) => secrets.replace(SECRET, &parameters, &secret).await,
        None => secrets.create(&parameters, &secret).await,
    };
    written.context("failed to write the certificate's secret")?;
    tracing::info!(until = %material.not_after, "made a certificate for the webhook");
    Ok(material)
}

#[cfg(test)]
mod tests;
