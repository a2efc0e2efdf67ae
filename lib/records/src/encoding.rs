//! Lines of bytes as UTF-8.

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

/// The line as text.
#[inline]
pub(crate) fn utf_8(line: &[u8]) -> Result<&str, Unreadable> {
    std::str::from_utf8(line).map_err(|error| Unreadable::NotUtf8 { position: error.valid_up_to() + 1 })
}

/// Nothing but blanks, tabs and carriage returns.
pub(crate) fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}
