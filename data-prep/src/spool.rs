//! What was downloaded so far: a file that ends with the draft, and what tells whether the rest still belongs to it.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::time::Duration;

use reqwest::header::{DATE, ETAG, HeaderMap, HeaderValue, LAST_MODIFIED};
use sha2::{Digest as _, Sha256};

/// The bytes as they were served.
pub(crate) struct Spool {
    file: File,
    length: u64,
    hash: Sha256,
    /// Names the content that the file has the beginning of, for `If-Range`.
    validator: Option<HeaderValue>,
    /// How many bytes that content has, where the answer that began it said so.
    total: Option<u64>,
}

/// A download to its last byte.
pub(crate) struct Download {
    /// At its start.
    pub(crate) file: File,
    pub(crate) length: u64,
    /// In lower-case hexadecimal.
    pub(crate) sha256: String,
}

impl Spool {
    /// Of an empty file.
    pub(crate) fn new(file: File) -> Self {
        Spool { file, length: 0, hash: Sha256::new(), validator: None, total: None }
    }

    /// How many bytes are there.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// What to ask for to go on behind the last byte: the values of `Range` and `If-Range`. `None` where there is
    /// nothing yet, or nothing that names the content, so that the rest of another could come.
    pub(crate) fn rest(&self) -> Option<(String, HeaderValue)> {
        let validator = self.validator.clone().filter(|_| self.length > 0)?;
        Some((format!("bytes={}-", self.length), validator))
    }

    /// How many bytes there are in all, if the answer that began the content said so.
    pub(crate) fn total(&self) -> Option<u64> {
        self.total
    }

    /// Whether what these headers came with can be of the same content.
    pub(crate) fn is_of(&self, headers: &HeaderMap) -> bool {
        self.validator.as_ref().is_some_and(|own| {
            let name = if own.as_bytes().starts_with(b"\"") { ETAG } else { LAST_MODIFIED };
            headers.get(name).is_none_or(|other| other == own)
        })
    }

    /// Begins anew, with the content that these headers came with, of so many bytes.
    pub(crate) fn restart(&mut self, headers: &HeaderMap, total: Option<u64>) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        (self.length, self.hash, self.validator, self.total) = (0, Sha256::new(), validator(headers), total);
        Ok(())
    }

    /// Adds what came.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// All has come.
    pub(crate) fn finish(mut self) -> io::Result<Download> {
        self.file.rewind()?;
        let sha256 = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Download { file: self.file, length: self.length, sha256 })
    }
}

/// What names a content exactly (RFC 9110, section 13.1.5): its `ETag`, if it is no weak one; where it has none its
/// `Last-Modified`, if the answer is younger by a second at least, so that no other content had the same.
fn validator(headers: &HeaderMap) -> Option<HeaderValue> {
    if let Some(tag) = headers.get(ETAG) {
        return Some(tag).filter(|tag| tag.as_bytes().starts_with(b"\"")).cloned();
    }
    let time = |name| httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok();
    let age = time(DATE)?.duration_since(time(LAST_MODIFIED)?).ok()?;
    headers.get(LAST_MODIFIED).filter(|_| age >= Duration::from_secs(1)).cloned()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderName;

    use super::*;

    fn validated_by(headers: &[(HeaderName, &'static str)]) -> Option<String> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        Some(validator(&headers.collect())?.to_str().unwrap().to_owned())
    }

    #[test]
    fn only_what_names_one_content_lets_a_download_go_on() {
        const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
        const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
        assert_eq!(validated_by(&[(ETAG, "\"a\"")]).as_deref(), Some("\"a\""));
        assert_eq!(validated_by(&[(LAST_MODIFIED, THEN), (DATE, LATER)]).as_deref(), Some(THEN));
        for headers in [
            &[][..],
            &[(ETAG, "W/\"a\""), (LAST_MODIFIED, THEN), (DATE, LATER)],
            &[(LAST_MODIFIED, THEN), (DATE, THEN)],
            &[(LAST_MODIFIED, THEN)],
            &[(LAST_MODIFIED, "yesterday"), (DATE, LATER)],
        ] {
            assert_eq!(validated_by(headers), None, "{headers:?}");
        }
    }

    #[test]
    fn a_download_that_begins_anew_keeps_nothing_of_the_one_before() {
        let mut spool = Spool::new(tempfile::tempfile().unwrap());
        spool.restart(&[(ETAG, HeaderValue::from_static("\"1\""))].into_iter().collect(), None).unwrap();
        assert_eq!(spool.rest(), None, "nothing is there to go on behind");
        spool.append(b"of another content").unwrap();
        assert_eq!(spool.rest(), Some(("bytes=18-".to_owned(), HeaderValue::from_static("\"1\""))));
        spool.restart(&HeaderMap::new(), None).unwrap();
        spool.append(b"abc").unwrap();
        assert_eq!(spool.rest(), None);
        let mut download = spool.finish().unwrap();
        assert_eq!(io::read_to_string(&mut download.file).unwrap(), "abc");
        assert_eq!(download.length, 3);
        // FIPS 180-2, appendix B.1.
        assert!(download.sha256.starts_with("ba7816bf8f01cfea") && download.sha256.len() == 64);
    }
}
