//! Stage 1: every source is copied into the run directory, so that what follows sees one state of it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};

use crate::console::Console;
use crate::download::{self, Limits};
use crate::format::{FileKind, TableFormat};
use crate::pipeline::{Failure, Failures, Run};
use crate::simulated;
use crate::source::{Location, Source};

/// How many sources are fetched side by side.
const SIDE_BY_SIDE: usize = 16;

/// A source, fetched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Extracted {
    pub(crate) name: String,
    /// What people are told of where it is.
    pub(crate) location: String,
    /// All of one format.
    pub(crate) parts: Vec<Part>,
}

/// A file of a source: all but a glob have one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Its name in the run directory, which tells what it holds.
    pub(crate) file: String,
    /// What people know it by.
    pub(crate) origin: String,
}

impl Extracted {
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.file.as_str())
    }
}

/// Fetches all sources side by side. Those that fail hold up no other, and are all named.
pub(crate) async fn run(run: &Run) -> Result<Vec<Extracted>, Failures> {
    let sources = &run.config.data_sources.0;
    let limits = Limits { timeout: run.config.source_timeout, bytes: run.config.max_source_bytes };
    let client = download::client(limits, run.config.ca_file.as_deref())?;
    for number in 1..=sources.len() {
        run.console.line(format_args!("Extracting from source {number}/{}...", sources.len()));
    }
    let fetches = sources.iter().cloned().enumerate().map(|(index, source)| {
        let (run, client) = (run.clone(), client.clone());
        async move {
            let fetched = fetch(&run, index + 1, &source, &client, limits).await;
            fetched.map_err(|cause| Failure::of_source(index + 1, &source.name, cause))
        }
    });
    let fetched: Vec<_> = stream::iter(fetches).buffered(SIDE_BY_SIDE).collect().await;
    let mut extracted = Vec::new();
    let mut failures = Vec::new();
    for outcome in fetched {
        match outcome {
            Ok(source) => extracted.push(source),
            Err(failure) => failures.push(failure),
        }
    }
    if failures.is_empty() { Ok(extracted) } else { Err(Failures(failures)) }
}

async fn fetch(
    run: &Run,
    number: usize,
    source: &Source,
    client: &reqwest::Client,
    limits: Limits,
) -> anyhow::Result<Extracted> {
    let stem = format!("source-{number}");
    let parts = match &source.location {
        Location::Simulated(drawn) => {
            let file = format!("{stem}.csv");
            simulated::write(*drawn, run.config.seed, &run.directory.file(&file))
                .with_context(|| format!("failed to write {file}"))?;
            vec![Part { file, origin: source.name.clone() }]
        }
        Location::Http(url) => {
            let file =
                download::fetch(client, url, &run.directory.file(""), &stem, limits, &run.console).await?;
            vec![Part { file, origin: source.shown() }]
        }
        Location::Files(pattern) => {
            let (pattern, directory, console) =
                (pattern.clone(), run.directory.file(""), run.console.clone());
            tokio::task::spawn_blocking(move || copy(&pattern, &stem, &directory, &console))
                .await
                .context("the copy panicked")??
        }
    };
    Ok(Extracted { name: source.name.clone(), location: source.shown(), parts })
}

fn copy(pattern: &str, stem: &str, directory: &Path, console: &Console) -> anyhow::Result<Vec<Part>> {
    let paths = matching(pattern)?;
    let bar = (paths.len() > 1).then(|| console.count(stem, Some(paths.len() as u64)));
    let mut format: Option<TableFormat> = None;
    let mut parts = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let shown = path.display();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let kind = FileKind::of_name(&name)
            .with_context(|| format!("the name of {shown} tells neither CSV, JSON lines nor Parquet"))?;
        if *format.get_or_insert(kind.format) != kind.format {
            bail!("{shown} is of another format than {}", paths[0].display());
        }
        let file = if paths.len() == 1 {
            format!("{stem}.{}", kind.extension())
        } else {
            format!("{stem}-{}.{}", index + 1, kind.extension())
        };
        fs::copy(path, directory.join(&file)).with_context(|| format!("failed to copy {shown}"))?;
        parts.push(Part { file, origin: path.to_string_lossy().into_owned() });
        if let Some(bar) = &bar {
            bar.inc(1);
        }
    }
    Ok(parts)
}

/// The file of this name, else the files that match it as a glob, in the order of their names.
fn matching(pattern: &str) -> anyhow::Result<Vec<PathBuf>> {
    let path = Path::new(pattern);
    if path.exists() || !pattern.contains(['*', '?', '[']) {
        let found = fs::metadata(path).with_context(|| format!("failed to find {pattern}"))?;
        if !found.is_file() {
            bail!("{pattern} is no file: `{pattern}/*.csv` would mean those in it");
        }
        return Ok(vec![path.to_owned()]);
    }
    let mut paths = Vec::new();
    for path in glob::glob(pattern).with_context(|| format!("`{pattern}` is no glob"))? {
        let path = path.with_context(|| format!("failed to look for {pattern}"))?;
        if path.is_file() {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        bail!("no file matches {pattern}");
    }
    Ok(paths)
}
