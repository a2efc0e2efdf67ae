//! A data set's way from its URL to the volume: downloaded, checked, cleaned, published.

use std::io::{self, Read};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use records::Counts;
use records::clean::{CleanError, clean};
use service::{Interrupted, Shutdown};
use stage::ToFiles;
use tokio::time::sleep_until;
use volume::{Draft, Spec, Volume};

use crate::Config;
use crate::client::client;
use crate::content::content;
use crate::fetch::Fetch;
use crate::source::Source;
use crate::spool::{Download, Spool};

/// Between two rows is looked whether to stop: this long is waited for what was written to be deleted.
const STOPPING: Duration = Duration::from_secs(1);

const UNREADABLE: &str = "failed to read what was downloaded";

/// What was published.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) name: String,
    /// As they were served.
    pub(crate) bytes: u64,
    pub(crate) counts: Counts,
}

/// Does all of it, or nothing.
///
/// # Errors
/// Nothing is published, or the next run publishes it.
pub(crate) async fn prepare(
    config: &Config,
    source: &Source,
    volume: &Volume,
    shutdown: &Shutdown,
) -> anyhow::Result<Done> {
    let spec = Spec { name: "data-prep", stem: config.output, input: None, output: Some("csv") };
    recover(volume, spec)?;
    let draft = volume.begin_draft(spec)?;
    let download = tokio::select! {
        biased;
        () = shutdown.requested() => Err(Interrupted.into()),
        download = download(config, source, &draft) => download,
    };
    let download = match download {
        Ok(download) => download,
        Err(error) => {
            discard(draft);
            return Err(error);
        }
    };
    let cleaning = tokio::task::spawn_blocking({
        let (config, source, shutdown) = (config.clone(), source.clone(), shutdown.clone());
        move || finish(&config, &source, download, draft, &shutdown)
    });
    tokio::select! {
        done = cleaning => done.context("the cleaning panicked")?,
        // A call to a file system that does not answer; the next run deletes what was written.
        () = too_late(shutdown) => Err(Interrupted.into()),
    }
}

/// Cleans up what a run left that died.
fn recover(volume: &Volume, spec: Spec) -> anyhow::Result<()> {
    let recovered = volume.recover_drafts(spec)?;
    for name in recovered.published {
        tracing::info!(%name, "published what an earlier run had finished");
    }
    if recovered.deleted > 0 {
        tracing::info!(deleted = recovered.deleted, "deleted what earlier runs left");
    }
    Ok(())
}

async fn download(config: &Config, source: &Source, draft: &Draft) -> anyhow::Result<Download> {
    let fetch = Fetch {
        client: client(config.timeout, config.ca_file.as_deref())?,
        source,
        max_bytes: config.max_bytes,
        attempts: config.attempts,
        may_be_compressed: config.sha256.is_none(),
    };
    let mut spool = Spool::new(draft.create_input()?);
    fetch.download(&mut spool).await?;
    let download = spool.finish().context(UNREADABLE)?;
    if let Some(expected) = &config.sha256 {
        ensure!(
            download.sha256 == *expected,
            "what {} served has the SHA-256 {} and not {expected} (--sha256)",
            source.shown,
            download.sha256,
        );
    }
    Ok(download)
}

/// Cleans and publishes; blocks as long as that takes, or until it is to stop.
fn finish(
    config: &Config,
    source: &Source,
    download: Download,
    mut draft: Draft,
    shutdown: &Shutdown,
) -> anyhow::Result<Done> {
    let bytes = download.length;
    let counts = match convert(config, source, download, &mut draft, shutdown) {
        Ok(counts) => counts,
        Err(error) => {
            discard(draft);
            return Err(error);
        }
    };
    // There is a header at least.
    let name = draft.publish()?.unwrap_or_default();
    Ok(Done { name, bytes, counts })
}

fn convert(
    config: &Config,
    source: &Source,
    download: Download,
    draft: &mut Draft,
    shutdown: &Shutdown,
) -> anyhow::Result<Counts> {
    let input = content(download.file, config.max_bytes).context(UNREADABLE)?;
    let mut input = Stoppable { input, shutdown };
    let mut rejects = ToFiles(&mut draft.rejected);
    match clean(&mut input, &mut draft.output, &mut rejects, config.names.as_ref()) {
        Err(CleanError::Io(error)) => Err(told_apart(error)),
        cleaned => cleaned.with_context(|| format!("nothing can be made of what {} served", source.shown)),
    }
}

/// Whether the volume failed, the shutdown came, or what was downloaded cannot be read.
fn told_apart(error: io::Error) -> anyhow::Error {
    if error.get_ref().is_some_and(|inner| inner.is::<Interrupted>()) {
        return Interrupted.into();
    }
    match volume::Error::unwrap_io(error) {
        Ok(error) => error.into(),
        Err(error) => anyhow::Error::new(error).context(UNREADABLE),
    }
}

/// Ends with [`Interrupted`] once it is told to stop.
struct Stoppable<'a, R> {
    input: R,
    shutdown: &'a Shutdown,
}

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.shutdown.is_requested() {
            return Err(io::Error::other(Interrupted));
        }
        self.input.read(buffer)
    }
}

fn discard(draft: Draft) {
    if let Err(error) = draft.discard() {
        let error = anyhow::Error::new(error);
        tracing::warn!("what was downloaded is left for the next run to delete: {error:#}");
    }
}

async fn too_late(shutdown: &Shutdown) {
    shutdown.requested().await;
    if let Some(deadline) = shutdown.deadline() {
        sleep_until((deadline + STOPPING).into()).await;
    }
}
