//! Lines of bytes as UTF-8.

use memchr::memchr;

use crate::Unreadable;

const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a file's first bytes say about its encoding.
#[derive(Default)]
pub(crate) struct Encoding {
    utf_16: Option<&'static str>,
}

impl Encoding {
    /// The line without a byte order mark before the first one. An error for each line of a file
    /// that starts with a byte order mark of UTF-16.
    #[inline]
    pub(crate) fn strip_mark<'a>(&mut self, number: u64, line: &'a [u8]) -> Result<&'a [u8], Unreadable> {
        if number == 1 {
            self.utf_16 = match line {
                [0xff, 0xfe, ..] => Some("utf-16 (little endian)"),
                [0xfe, 0xff, ..] => Some("utf-16 (big endian)"),
                _ => None,
            };
            return self.check(line.strip_prefix(UTF_8_MARK).unwrap_or(line));
        }
        self.check(line)
    }

    /// Nothing says so far that the file is not UTF-8.
    #[inline]
    pub(crate) fn may_be_utf_8(&self) -> bool {
        self.utf_16.is_none()
    }

    fn check<'a>(&self, line: &'a [u8]) -> Result<&'a [u8], Unreadable> {
        self.utf_16.map_or(Ok(line), |name| Err(Unreadable::Utf16(name)))
    }
}

/// A file's lines as text.
#[derive(Default)]
pub(crate) struct Text {
    encoding: Encoding,
    /// Lines end in CRLF; unknown before the first line.
    crlf: Option<bool>,
}

impl Text {
    /// A line has been read.
    #[inline]
    pub(crate) fn is_settled(&self) -> bool {
        self.crlf.is_some()
    }

    /// The line without what is no part of its text: a byte order mark before the first one, a carriage return at the end
    /// where the first line that is UTF-8 has one.
    pub(crate) fn line<'a>(&mut self, number: u64, line: &'a [u8]) -> Result<&'a str, Unreadable> {
        let line = utf_8(self.encoding.strip_mark(number, line)?)?;
        let line = self.without_carriage_return(line);
        match memchr(0, line.as_bytes()) {
            Some(position) => Err(Unreadable::Nul { position: position + 1 }),
            None => Ok(line),
        }
    }

    fn without_carriage_return<'a>(&mut self, line: &'a str) -> &'a str {
        let stripped = line.strip_suffix('\r');
        let crlf = *self.crlf.get_or_insert(stripped.is_some());
        stripped.filter(|_| crlf).unwrap_or(line)
    }
}

/// The line as text.
#[inline]
pub(crate) fn utf_8(line: &[u8]) -> Result<&str, Unreadable> {
    std::str::from_utf8(line).map_err(|error| Unreadable::NotUtf8 { position: error.valid_up_to() + 1 })
}

/// Nothing but blanks, tabs and carriage returns.
pub(crate) fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}
