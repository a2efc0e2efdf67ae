//! The user's headers: `--header 'Name: value'`, or `--header @file`, which is read again when it changes.
//!
//! Their values are secrets: no message repeats one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tracing::{error, info};

/// What the contract, HTTP's framing or the URL decides.
const TAKEN: [&str; 13] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Why a header cannot be sent along.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeaderError {
    #[error("a line without a colon: `Name: value` is the form")]
    NoColon,
    #[error("`{0}` is not a header's name")]
    Name(String),
    #[error("the value of `{0}` holds characters that no header may hold")]
    Value(HeaderName),
    #[error("`{0}` cannot be set: json-to-api sets it itself, or never sends it")]
    Taken(HeaderName),
}

/// Why the headers cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeadersError {
    #[error("--header number {number} cannot be sent")]
    Given {
        number: usize,
        #[source]
        source: HeaderError,
    },
    #[error("--header file `{path}` cannot be read")]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("--header file `{path}`, line {line}, cannot be sent")]
    InFile {
        path: PathBuf,
        line: usize,
        #[source]
        source: HeaderError,
    },
}

/// Where headers come from, in the order of the command line.
#[derive(Debug)]
enum Source {
    Given(HeaderMap),
    File(PathBuf),
}

/// The headers that go along with every document, kept up to date with their files.
#[derive(Debug)]
pub(crate) struct Headers {
    sources: Vec<Source>,
    current: HeaderMap,
    /// What was wrong with the files when they were read last.
    complaint: Option<String>,
}

impl Headers {
    /// Reads the settings and the files they name; blank settings and blank lines are skipped.
    ///
    /// # Errors
    /// Names the setting or the file and line, never a value.
    pub(crate) fn read(settings: &[String]) -> Result<Self, HeadersError> {
        let mut sources = Vec::new();
        for (index, setting) in settings.iter().enumerate().filter(|(_, setting)| !setting.trim().is_empty())
        {
            let mut given = HeaderMap::new();
            match setting.trim().strip_prefix('@').map(Path::new) {
                Some(path) if fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) => {
                    sources.push(Source::File(path.to_owned()));
                    continue;
                }
                // A pipe can be read once; what is missing is an error.
                Some(path) => add_file(path, &mut given)?,
                None => {
                    let (name, value) = parse(setting.as_bytes())
                        .map_err(|source| HeadersError::Given { number: index + 1, source })?;
                    given.append(name, value);
                }
            }
            sources.push(Source::Given(given));
        }
        let current = collect(&sources)?;
        Ok(Headers { sources, current, complaint: None })
    }

    /// What to send along.
    pub(crate) fn current(&self) -> &HeaderMap {
        &self.current
    }

    /// Reads the files again; returns whether the headers are others now. A file that cannot be used is reported once, and
    /// the headers stay.
    pub(crate) fn refresh(&mut self) -> bool {
        if !self.sources.iter().any(|source| matches!(source, Source::File(_))) {
            return false;
        }
        match collect(&self.sources) {
            Ok(headers) => {
                self.complaint = None;
                let is_new = headers != self.current;
                if is_new {
                    info!("the headers of --header have changed");
                    self.current = headers;
                }
                is_new
            }
            Err(error) => {
                let complaint = format!("{:#}", anyhow::Error::from(error));
                if self.complaint.as_ref() != Some(&complaint) {
                    error!(
                        "the headers of --header cannot be read again, those from before stay: {complaint}"
                    );
                    self.complaint = Some(complaint);
                }
                false
            }
        }
    }
}

fn collect(sources: &[Source]) -> Result<HeaderMap, HeadersError> {
    let mut headers = HeaderMap::new();
    for source in sources {
        match source {
            Source::Given(given) => {
                given.iter().for_each(|(name, value)| _ = headers.append(name.clone(), value.clone()));
            }
            Source::File(path) => add_file(path, &mut headers)?,
        }
    }
    Ok(headers)
}

fn add_file(path: &Path, headers: &mut HeaderMap) -> Result<(), HeadersError> {
    let content =
        fs::read(path).map_err(|source| HeadersError::Unreadable { path: path.to_owned(), source })?;
    for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
        if !line.trim_ascii().is_empty() {
            let (name, value) = parse(line).map_err(|source| HeadersError::InFile {
                path: path.to_owned(),
                line: index + 1,
                source,
            })?;
            headers.append(name, value);
        }
    }
    Ok(())
}

/// Reads `Name: value`.
fn parse(line: &[u8]) -> Result<(HeaderName, HeaderValue), HeaderError> {
    let colon = line.iter().position(|byte| *byte == b':').ok_or(HeaderError::NoColon)?;
    let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
    let name = HeaderName::from_bytes(name)
        .map_err(|_| HeaderError::Name(String::from_utf8_lossy(name).escape_debug().to_string()))?;
    if TAKEN.contains(&name.as_str()) {
        return Err(HeaderError::Taken(name));
    }
    let mut value = HeaderValue::from_bytes(value).map_err(|_| HeaderError::Value(name.clone()))?;
    value.set_sensitive(true);
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &[&str]) -> Result<Headers, HeadersError> {
        Headers::read(&settings.iter().map(|setting| (*setting).to_owned()).collect::<Vec<_>>())
    }

    fn sent(headers: &Headers) -> Vec<(String, String)> {
        headers
            .current()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// The whole chain of an error, as it is printed.
    fn chain(error: &HeadersError) -> String {
        let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        format!("{error}: {source}")
    }

    #[test]
    fn headers_are_sent_in_their_order_and_blank_settings_skipped() {
        let headers = read(&["A: 1", "", "  ", "B:2 : 3", "a:4"]).unwrap();
        assert_eq!(sent(&headers), pairs(&[("a", "1"), ("a", "4"), ("b", "2 : 3")]));
    }

    #[test]
    fn what_the_contract_sets_cannot_be_overridden() {
        for name in TAKEN {
            let error = read(&[&format!("{}: secret", name.to_uppercase())]).unwrap_err();
            let message = chain(&error);
            assert!(message.contains("--header number 1") && message.contains(name), "{message}");
        }
    }

    #[test]
    fn no_message_repeats_a_value() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, "A: 1\n\nsecret without a colon\n").unwrap();
        let file = format!("@{}", file.path().display());
        for setting in ["secret", "Na me: secret", "A: secret\u{1}", "Host: secret", "@/no/such/file", &file]
        {
            let message = chain(&read(&[setting]).unwrap_err());
            assert!(message.contains("--header") && !message.contains("secret"), "{message}");
        }
        assert!(!format!("{:?}", read(&["A: secret"]).unwrap()).contains("secret"));
    }

    #[test]
    fn a_file_is_read_again_when_it_changes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("headers");
        fs::write(&path, "Authorization: one\r\n\nX-Other: a").unwrap();
        let mut headers = read(&[&format!("@{}", path.display())]).unwrap();
        assert_eq!(sent(&headers), pairs(&[("authorization", "one"), ("x-other", "a")]));

        assert!(!headers.refresh());

        // As a mounted Secret does it: another file under the same name.
        let next = directory.path().join("next");
        fs::write(&next, "Authorization: two").unwrap();
        fs::hard_link(&path, directory.path().join("old")).unwrap();
        std::os::unix::fs::symlink(&next, directory.path().join("link")).unwrap();
        exchange(&directory.path().join("link"), &path);
        assert!(headers.refresh());
        assert_eq!(sent(&headers), pairs(&[("authorization", "two")]));
    }

    #[test]
    fn a_pipe_is_read_once() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::write(pipe, "Authorization: one").unwrap()
        });
        let mut headers = read(&[&format!("@{}", pipe.display())]).unwrap();
        writer.join().unwrap();
        // Nobody writes any more: to read it again would take for ever.
        assert!(!headers.refresh());
        assert_eq!(sent(&headers), pairs(&[("authorization", "one")]));
    }

    #[test]
    fn a_bad_new_content_leaves_the_headers_as_they_were_and_a_good_one_mends_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("headers");
        fs::write(&path, "Authorization: one").unwrap();
        let mut headers = read(&[&format!("@{}", path.display())]).unwrap();
        for bad in ["no colon here at all", "Content-Type: text/plain"] {
            fs::write(&path, bad).unwrap();
            headers.refresh();
            assert_eq!(sent(&headers), pairs(&[("authorization", "one")]));
        }
        fs::write(&path, "Authorization: three").unwrap();
        headers.refresh();
        assert_eq!(sent(&headers), pairs(&[("authorization", "three")]));
    }

    #[expect(clippy::disallowed_methods, reason = "this is a mounted Secret, not the volume")]
    fn exchange(new: &Path, old: &Path) {
        fs::rename(new, old).unwrap();
    }
}
