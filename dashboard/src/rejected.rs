//! What is done with rejected files: read, downloaded, sent again. None of it without `--allow-actions`.

use std::fs::File;
use std::io::{self, Read};

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio_util::io::ReaderStream;
use volume::{Spec, View, Volume};

use crate::flow;

/// So much of a file is shown, and of its reasons, in bytes.
const SHOWN: u64 = 64 << 10;

const FORBIDDEN: &str = "rejected files are shown and moved only with --allow-actions\n";
const GONE: &str = "there is no such rejected file (any more)\n";

/// The rejected files.
pub(crate) struct Rejected {
    view: View,
    /// None: nothing may be done.
    volume: Option<Volume>,
    stem: &'static str,
}

/// A file as it is shown.
#[derive(Debug, PartialEq, Serialize)]
struct Shown {
    bytes: u64,
    /// There is more of it.
    is_cut: bool,
    lines: Vec<Line>,
    /// Reasons that stand for many lines, or whose line is not known.
    others: Vec<String>,
}

/// A line of it.
#[derive(Debug, PartialEq, Serialize)]
struct Line {
    /// Its number in the file that the stage took.
    number: Option<u64>,
    text: String,
    reason: Option<String>,
}

impl Rejected {
    pub(crate) fn new(view: View, volume: Option<Volume>, stem: &'static str) -> Self {
        Rejected { view, volume, stem }
    }

    /// Shows the first lines of a file, with the reasons beside.
    pub(crate) async fn read(&self, name: String) -> Response {
        let view = self.view.clone();
        self.with(name, move |spec, name| {
            let Some(file) = view.open_rejected(spec, name)? else { return Ok(None) };
            let bytes = file.metadata().map(|metadata| metadata.len()).unwrap_or_default();
            let text = head(Some(file)).map_err(Failure::Read)?;
            let reasons = head(view.open_reasons(spec, name)?).map_err(Failure::Read)?;
            Ok(Some(shown(&text, &reasons, bytes)))
        })
        .await
        .map_or_else(|response| response, |shown| json(&shown))
    }

    /// Gives out a file as it is.
    pub(crate) async fn download(&self, name: String) -> Response {
        let view = self.view.clone();
        let attachment = format!("attachment; filename=\"{name}\"");
        let opened = self.with(name, move |spec, name| {
            let Some(file) = view.open_rejected(spec, name)? else { return Ok(None) };
            let length = file.metadata().map_err(Failure::Read)?.len();
            Ok(Some((file, length)))
        });
        match opened.await {
            Ok((file, length)) => {
                let headers = [
                    (CONTENT_TYPE, "application/octet-stream".to_owned()),
                    (CONTENT_DISPOSITION, attachment),
                    (CONTENT_LENGTH, length.to_string()),
                    (CACHE_CONTROL, "no-store".to_owned()),
                ];
                // Not beyond the length that was told: a file that grows is somebody else's.
                let file = tokio::io::AsyncReadExt::take(tokio::fs::File::from_std(file), length);
                (headers, Body::from_stream(ReaderStream::new(file))).into_response()
            }
            Err(response) => response,
        }
    }

    /// Moves a file back among those that wait for its stage.
    pub(crate) async fn send_again(&self, name: String) -> Response {
        let Some(volume) = self.volume.clone() else { return forbidden() };
        let sent = self.with(name, move |spec, name| {
            let sent = volume.send_again(spec, name)?;
            if let Some(waits) = &sent {
                tracing::info!(name, waits, stage = spec.name, "a rejected file is sent again");
            }
            Ok(sent)
        });
        sent.await.map_or_else(|response| response, |waits| json(&serde_json::json!({ "waits_as": waits })))
    }

    /// Does something about a file, on a thread that may wait for the volume; what it is not done for is the reply.
    async fn with<T: Send + 'static>(
        &self,
        name: String,
        act: impl FnOnce(Spec, &str) -> Result<Option<T>, Failure> + Send + 'static,
    ) -> Result<T, Response> {
        if self.volume.is_none() {
            return Err(forbidden());
        }
        let Some(spec) = flow::stage_of(&name, self.stem) else {
            return Err((StatusCode::NOT_FOUND, GONE).into_response());
        };
        let done = tokio::task::spawn_blocking(move || act(spec, &name)).await;
        match done.unwrap_or_else(|_| Err(Failure::Read(io::Error::other("a thread panicked")))) {
            Ok(Some(done)) => Ok(done),
            Ok(None) => Err((StatusCode::NOT_FOUND, GONE).into_response()),
            Err(failure) => {
                let error: &dyn std::error::Error = &failure;
                tracing::warn!(error, "a rejected file is left as it is");
                let reason = match error.source() {
                    Some(source) => format!("{error}: {source}\n"),
                    None => format!("{error}\n"),
                };
                Err((StatusCode::INTERNAL_SERVER_ERROR, reason).into_response())
            }
        }
    }
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Volume(#[from] volume::Error),
    #[error("failed to read the file")]
    Read(#[source] io::Error),
}

fn forbidden() -> Response {
    (StatusCode::FORBIDDEN, FORBIDDEN).into_response()
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(json) => ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], json).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// The beginning of a file, nothing where there is none.
fn head(file: Option<File>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(file) = file {
        file.take(SHOWN).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Puts the reasons beside their lines: the first is the first line's. Where records take several lines of a file, no
/// reason is known to be a line's, and all stand below.
fn shown(text: &[u8], reasons: &[u8], bytes: u64) -> Shown {
    let is_cut = text.len() as u64 != bytes;
    let (text, reasons) = (String::from_utf8_lossy(text), String::from_utf8_lossy(reasons));
    let mut texts: Vec<&str> = text.lines().collect();
    if is_cut && texts.len() > 1 && !text.ends_with('\n') {
        texts.pop();
    }
    let numbered = |line: &str| {
        let (number, reason) = line.split_once(": ")?;
        Some((number.parse::<u64>().ok()?, reason.to_owned()))
    };
    let of_lines: Vec<(u64, String)> = reasons.lines().map_while(numbered).collect();
    let all = reasons.lines().map(str::to_owned);
    let are_beside = of_lines.len() == texts.len() || is_cut || of_lines.len() >= 1000;
    let others = all.skip(if are_beside { of_lines.len() } else { 0 }).collect();
    let mut beside = of_lines.into_iter().filter(|_| are_beside);
    let line = |text: &str| {
        let (number, reason) = beside.next().unzip();
        Line { number, text: text.to_owned(), reason }
    };
    Shown { bytes, is_cut, lines: texts.into_iter().map(line).collect(), others }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_stand_beside_their_lines_with_the_numbers_of_the_input() {
        let shown = shown(b"bad\nworse\n", b"3: expected a mode\n7: expected a date\n", 10);
        let line = |number, text: &str, reason: &str| Line {
            number: Some(number),
            text: text.to_owned(),
            reason: Some(reason.to_owned()),
        };
        let lines = vec![line(3, "bad", "expected a mode"), line(7, "worse", "expected a date")];
        assert_eq!(shown, Shown { bytes: 10, is_cut: false, lines, others: Vec::new() });
    }

    #[test]
    fn reasons_of_records_with_line_feeds_stand_below() {
        let shown = shown(b"\"a\nb\"\nc\n", b"1: no\n2: no\n", 8);
        assert_eq!(shown.others, ["1: no", "2: no"]);
        assert!(shown.lines.iter().all(|line| line.reason.is_none()));
    }

    #[test]
    fn a_file_that_is_cut_ends_with_a_whole_line_and_any_bytes_are_text() {
        let shown = shown(b"\xff\x1b[31m<script>\nhalf", b"1: no\n75 lines: no\n", 1 << 30);
        assert!(shown.is_cut);
        let texts: Vec<&str> = shown.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["\u{fffd}\u{1b}[31m<script>"]);
        assert_eq!(shown.others, ["75 lines: no"]);
        assert_eq!(super::shown(b"", b"", 0).lines, []);
    }
}
