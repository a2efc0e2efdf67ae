//! The download: attempt after attempt, each going on where the one before was cut off.

use std::num::NonZeroU32;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use bytesize::ByteSize;
use http_client::{backoff, tls};
use reqwest::Client;
use reqwest::header::{ACCEPT_ENCODING, IF_RANGE, RANGE};
use tokio::time::sleep;

use crate::answer;
use crate::progress::Progress;
use crate::source::Source;
use crate::spool::Spool;

/// An attempt that brings so many bytes is none in vain, though it is cut off: the next pauses are short again.
const PROGRESS: u64 = 1 << 20;

/// What is downloaded, and how.
pub(crate) struct Fetch<'a> {
    pub(crate) client: Client,
    pub(crate) source: &'a Source,
    pub(crate) max_bytes: ByteSize,
    /// So many attempts in a row may be in vain.
    pub(crate) attempts: NonZeroU32,
    /// Whether the server may compress what it sends: not where the bytes of the file itself are to be checked.
    pub(crate) may_be_compressed: bool,
}

/// Why an attempt failed.
pub(crate) enum Failure {
    /// Every other attempt would, too.
    Final(anyhow::Error),
    /// The next one may not.
    Temporary {
        error: anyhow::Error,
        /// The server asked for that pause.
        retry_after: Option<Duration>,
    },
}

impl Failure {
    /// One after which the server asked for no pause.
    pub(crate) fn temporary(error: anyhow::Error) -> Self {
        Failure::Temporary { error, retry_after: None }
    }
}

impl Fetch<'_> {
    /// Downloads all of it.
    ///
    /// # Errors
    /// Names the URL, and what was wrong with the last answer.
    pub(crate) async fn download(&self, spool: &mut Spool) -> anyhow::Result<()> {
        let progress = Progress::new();
        self.try_again_and_again(spool, &progress)
            .await
            .with_context(|| format!("failed to fetch {}", self.source.shown))
    }

    async fn try_again_and_again(&self, spool: &mut Spool, progress: &Progress) -> anyhow::Result<()> {
        let mut random = fastrand::Rng::new();
        let (mut failed, mut farthest) = (0, 0);
        loop {
            let (error, retry_after) = match self.attempt(spool, progress).await {
                Ok(()) => return Ok(()),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Temporary { error, retry_after }) => (error, retry_after),
            };
            // What begins anew is progress only where it comes farther than ever before.
            failed = if spool.length() >= farthest + PROGRESS { 1 } else { failed + 1 };
            farthest = farthest.max(spool.length());
            if failed >= self.attempts.get() {
                return Err(error.context(format!("gave up after {failed} attempts in vain")));
            }
            let pause = backoff::pause(failed, retry_after, &mut random);
            tracing::warn!(attempt = failed, bytes = spool.length(), ?pause, "trying again: {error:#}");
            sleep(pause).await;
        }
    }

    /// Asks for what is missing, once, and adds what comes.
    async fn attempt(&self, spool: &mut Spool, progress: &Progress) -> Result<(), Failure> {
        let encoding = if self.may_be_compressed { "gzip" } else { "identity" };
        let mut request = self.client.get(self.source.url.clone()).header(ACCEPT_ENCODING, encoding);
        if let Some((range, validator)) = spool.rest() {
            request = request.header(RANGE, range).header(IF_RANGE, validator);
        }
        let mut response = request.send().await.map_err(failure)?;
        let total = answer::judge(&response, spool)?;
        progress.begin(spool.length(), total);
        self.limit(total.unwrap_or_default())?;
        while let Some(bytes) = response.chunk().await.map_err(failure)? {
            self.limit(spool.length() + bytes.len() as u64)?;
            spool.append(&bytes).map_err(on_volume)?;
            progress.advance(spool.length());
        }
        match total {
            // A part of the rest is an answer, too.
            Some(total) if spool.length() < total => {
                Err(Failure::temporary(anyhow!("{} of {total} bytes came", spool.length())))
            }
            _ => Ok(()),
        }
    }

    fn limit(&self, bytes: u64) -> Result<(), Failure> {
        let max = self.max_bytes;
        if bytes <= max.as_u64() {
            return Ok(());
        }
        Err(Failure::Final(anyhow!("it is larger than {max} (--max-bytes)")))
    }
}

/// The volume failed to keep what came.
pub(crate) fn on_volume(error: std::io::Error) -> Failure {
    Failure::Final(anyhow::Error::new(error).context("failed to write it to the volume"))
}

/// What to make of an attempt without an answer, or with one that was cut off.
fn failure(error: reqwest::Error) -> Failure {
    // Every other attempt would end there, too.
    let is_final = error.is_redirect() || error.is_builder();
    // The URL may hold a secret.
    let error = anyhow::Error::new(error.without_url());
    let is_distrusted = |cause| matches!(tls::error_of(cause), Some(rustls::Error::InvalidCertificate(_)));
    if is_final || error.chain().any(is_distrusted) {
        Failure::Final(error)
    } else {
        Failure::temporary(error)
    }
}
