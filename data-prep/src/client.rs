//! The HTTP client: time-outs, whom TLS trusts, which redirects are followed.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use http_client::tls;
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, redirect, retry};

const AGENT: &str = concat!("data-prep/", env!("CARGO_PKG_VERSION"));
/// So many redirects are followed, one after the other.
const REDIRECTS: usize = 10;

/// Makes the client. `timeout` is for a connection, and for each silence of the server's; a whole download may take
/// longer. Proxy variables (`HTTPS_PROXY` and the like) are honoured.
pub(crate) fn client(timeout: Duration, ca_file: Option<&Path>) -> anyhow::Result<Client> {
    Client::builder()
        .user_agent(AGENT)
        .referer(false)
        .retry(retry::never())
        .redirect(Policy::custom(follow))
        .connect_timeout(timeout)
        .read_timeout(timeout)
        .http1_only()
        .tls_backend_preconfigured(tls::config(ca_file, b"http/1.1")?)
        .build()
        .context("failed to set up the HTTP client")
}

/// Why a redirect is not followed.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("more than {REDIRECTS} redirects")]
    TooMany,
    #[error("redirected from https to http")]
    Downgrade,
    #[error("redirected to something else than http and https")]
    Scheme,
}

fn follow(attempt: Attempt<'_>) -> redirect::Action {
    let was_secure = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
    if attempt.previous().len() > REDIRECTS {
        return attempt.error(Refused::TooMany);
    }
    match attempt.url().scheme() {
        "https" => attempt.follow(),
        "http" if was_secure => attempt.error(Refused::Downgrade),
        "http" => attempt.follow(),
        _ => attempt.error(Refused::Scheme),
    }
}
