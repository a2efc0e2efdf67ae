//! Sources over HTTP: time-outs, retries, and no more bytes than are allowed.

use std::error::Error;
use std::iter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use http_client::tls;
use indicatif::ProgressBar;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::{Client, Response, StatusCode};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use url::Url;

use crate::console::Console;
use crate::format::FileKind;

/// How often a source is asked.
const ATTEMPTS: u32 = 4;
/// After the first attempt; twice as long after each further one.
const PAUSE: Duration = Duration::from_millis(500);

/// What downloads are bounded by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The longest silence.
    pub(crate) timeout: Duration,
    pub(crate) bytes: u64,
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
enum DownloadError {
    #[error("no whole answer from {host}")]
    Http {
        host: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("the answer is {0}")]
    Status(StatusCode),
    #[error("it has more than {0} bytes, which --max-source-bytes allows")]
    TooLarge(u64),
    #[error("neither its address nor its content type tells whether it is CSV, JSON lines or Parquet{0}")]
    UnknownFormat(String),
    #[error("failed to write {path}")]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl DownloadError {
    /// Whether another attempt may do better.
    fn is_passing(&self) -> bool {
        match self {
            Self::Http { source, .. } => {
                !source.is_builder() && !source.is_redirect() && !is_of_a_distrusted_server(source)
            }
            Self::Status(status) => status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429),
            Self::TooLarge(_) | Self::UnknownFormat(_) | Self::Write { .. } => false,
        }
    }
}

/// Whether an attempt failed because nobody vouches for the server.
fn is_of_a_distrusted_server(error: &reqwest::Error) -> bool {
    let mut causes = iter::successors(Some(error as &(dyn Error + 'static)), |&cause| cause.source());
    causes.any(|cause| matches!(tls::error_of(cause), Some(rustls::Error::InvalidCertificate(_))))
}

/// A client that trusts the web's roots, and the certificates of `ca_file` besides.
pub(crate) fn client(limits: Limits, ca_file: Option<&Path>) -> anyhow::Result<Client> {
    Client::builder()
        .tls_backend_preconfigured(tls::config(ca_file, b"http/1.1")?)
        .http1_only()
        .no_proxy()
        .user_agent(concat!("data-pipeline/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(limits.timeout)
        .read_timeout(limits.timeout)
        .build()
        .context("failed to set up HTTP")
}

/// Fetches `url` into a file in `directory` named `stem` and what its kind asks for, and gives its name back.
///
/// # Errors
/// The last attempt's, once all are used up, or the first that no other attempt would mend.
pub(crate) async fn fetch(
    client: &Client,
    url: &Url,
    directory: &Path,
    stem: &str,
    limits: Limits,
    console: &Console,
) -> anyhow::Result<String> {
    let mut pause = PAUSE;
    let bar = console.bytes(stem, None);
    for attempt in 1.. {
        bar.reset();
        match attempt_once(client, url, directory, stem, limits, &bar).await {
            Ok(name) => return Ok(name),
            Err(error) if error.is_passing() && attempt < ATTEMPTS => {
                tracing::warn!(attempt, "{stem}: {:#}, is tried again", anyhow::Error::from(error));
            }
            Err(error) if error.is_passing() => return Err(error).context(format!("failed {attempt} times")),
            Err(error) => return Err(error.into()),
        }
        // Between half and all of it: pipelines that failed together come back apart.
        tokio::time::sleep(pause.mul_f64(0.5 + 0.5 * fastrand::f64())).await;
        pause *= 2;
    }
    unreachable!("the last attempt returns")
}

async fn attempt_once(
    client: &Client,
    url: &Url,
    directory: &Path,
    stem: &str,
    limits: Limits,
    bar: &ProgressBar,
) -> Result<String, DownloadError> {
    let host = url.host_str().unwrap_or_default();
    // Addresses may hold credentials, which belong into no message.
    let cut_off =
        |error: reqwest::Error| DownloadError::Http { host: host.to_owned(), source: error.without_url() };
    let mut answer = client.get(url.clone()).send().await.map_err(cut_off)?;
    if !answer.status().is_success() {
        return Err(DownloadError::Status(answer.status()));
    }
    if let Some(total) = answer.content_length() {
        if total > limits.bytes {
            return Err(DownloadError::TooLarge(limits.bytes));
        }
        bar.set_length(total);
    }
    let name = format!("{stem}.{}", kind(url, &answer)?.extension());
    let path = directory.join(&name);
    let failed = |source| DownloadError::Write { path: path.clone(), source };
    let mut file = File::create(&path).await.map_err(failed)?;
    let mut bytes = 0;
    while let Some(chunk) = answer.chunk().await.map_err(cut_off)? {
        bytes += chunk.len() as u64;
        if bytes > limits.bytes {
            return Err(DownloadError::TooLarge(limits.bytes));
        }
        file.write_all(&chunk).await.map_err(failed)?;
        bar.inc(chunk.len() as u64);
    }
    file.flush().await.map_err(failed)?;
    Ok(name)
}

/// By the address's extension, else by the content type.
fn kind(url: &Url, answer: &Response) -> Result<FileKind, DownloadError> {
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let content_type = header(CONTENT_TYPE);
    // Where it was redirected, the address may say nothing any more.
    let by_name = FileKind::of_name(url.path()).or_else(|| FileKind::of_name(answer.url().path()));
    let Some(kind) = by_name.or_else(|| FileKind::of_content_type(content_type?)) else {
        let told = content_type.map(|value| format!(" (`{value}`)")).unwrap_or_default();
        return Err(DownloadError::UnknownFormat(told));
    };
    // What is compressed by its name is stored so, and servers that name that as its encoding mean the same.
    match header(CONTENT_ENCODING).filter(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        Some(encoding) if !kind.compression().is_compressed() => kind
            .encoded(encoding)
            .ok_or_else(|| DownloadError::UnknownFormat(format!(", encoded as `{encoding}`"))),
        _ => Ok(kind),
    }
}
