//! Text: a line of `ls -l` or `ls -ld` -> `Entry`.
//!
//! As busybox and GNU coreutils print it, in the C locale or an English one:
//!
//! ```text
//! -rw-r--r--    1 root     root          1234 Mar 19 23:57 /a path, as it stands
//! brw-rw----+ 1 root disk 8,   0 Mar 19  2024 /dev/sda
//! lrwxrwxrwx 1 1000 1000 7 2024-03-19 23:57 link -> target
//! ```
//!
//! The mode may have a `+`, `.` or `@` behind it. Dates are those of `ls`, of `--full-time` and of
//! `--time-style=long-iso`, `full-iso` and `iso`. The path is everything after the one blank behind
//! the date, whatever it holds. (A raw line feed in a name makes two lines of it: the first is read as an
//! entry of a shorter name, nothing shows otherwise, and the second is rejected.)
//!
//! Skipped are blank lines, `total 12`, and the `directory:` above a directory's entries as `ls -R` prints
//! it: first in the file or after a blank line. The names below it stay as printed, without it.
//!
//! Whether lines end in CRLF is decided by the first line that is UTF-8: if it ends in a carriage
//! return, then one is taken off every line of the file that has it. Otherwise a carriage return at
//! the end of a line belongs to the path.

use super::Entry;
use crate::Unreadable;
use crate::encoding::{Text, is_blank};

mod date;
mod entry;
mod words;

pub(super) use entry::plain_fields;

/// What the lines so far say about those to come.
pub(super) struct Listing {
    text: Text,
    /// A directory's name may come: at the start, and after a blank line.
    at_a_head: bool,
    /// Holds the size of a device, which is not printed as it is wanted.
    size: String,
}

impl Default for Listing {
    fn default() -> Self {
        Self { text: Text::default(), at_a_head: true, size: String::new() }
    }
}

impl Listing {
    /// A line that holds an entry, and no carriage return, tells nothing new.
    #[inline]
    pub(super) fn is_settled(&self) -> bool {
        self.text.is_settled() && !self.at_a_head
    }

    /// The entry in a line; None: the line is to be skipped.
    pub(super) fn entry<'a>(
        &'a mut self,
        number: u64,
        line: &'a [u8],
    ) -> Result<Option<Entry<'a>>, Unreadable> {
        let at_a_head = std::mem::replace(&mut self.at_a_head, false);
        let line = self.text.line(number, line)?;
        if is_blank(line.as_bytes()) {
            self.at_a_head = true;
            return Ok(None);
        }
        match entry::parse(line, &mut self.size) {
            Err(Unreadable::Mode) if is_total(line) || at_a_head && line.ends_with(':') => Ok(None),
            found => found.map(Some),
        }
    }
}

/// `total 12`, or with `ls -h` `total 1.2M`.
fn is_total(line: &str) -> bool {
    let number = line.strip_prefix("total ").unwrap_or_default();
    number.starts_with(|first: char| first.is_ascii_digit())
        && number.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b',')
}

#[cfg(test)]
mod tests {
    use crate::listing::testing::Entries;

    const A: &str = "-rw-r--r--    1 root     root            19 Mar 19 23:57 a";

    fn outcome(input: &str) -> Entries {
        Entries::of_text(input.as_bytes())
    }

    #[test]
    fn blank_lines_totals_and_directories_are_skipped() {
        let outcome = outcome(&format!(
            "/usr:\ntotal 12\n{A}\n\n  \n\t\n/usr/some directory:\ntotal 1.2M\n{A}\n\n\n..:\r\n"
        ));
        assert_eq!(outcome.paths(), ["a", "a"]);
        assert_eq!(
            outcome.reasons(),
            [(12, "expected a mode such as -rw-r--r-- first (list with ls -l or ls -ld)")]
        );
    }

    #[test]
    fn what_looks_like_a_directory_between_entries_is_rejected() {
        let outcome = outcome(&format!("{A}\nrest of a name:\n{A}:\ntotal\ntotal x\n"));
        assert_eq!(outcome.paths(), ["a", "a:"]);
        assert_eq!(outcome.rejected.iter().map(|(line, ..)| *line).collect::<Vec<_>>(), [2, 4, 5]);
    }

    #[test]
    fn the_first_line_decides_whether_lines_end_in_crlf() {
        assert_eq!(outcome(&format!("{A}\r\n{A}\n{A}\r\r\n{A}\r")).paths(), ["a", "a", "a\r", "a"]);
        assert_eq!(outcome(&format!("{A}\n{A}\r\n{A}\r\r")).paths(), ["a", "a\r", "a\r\r"]);
        assert_eq!(outcome(&format!("total 4\r\n{A}\r\n\r\n{A}\r\n")).paths(), ["a", "a"]);
        assert_eq!(outcome(&format!("\n{A}\r\n")).paths(), ["a\r"]);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        assert_eq!(outcome(&format!("\u{feff}{A}\n{A}\u{feff}\n")).paths(), ["a", "a\u{feff}"]);
        let nothing = outcome("\u{feff}");
        assert!(nothing.entries.is_empty() && nothing.rejected.is_empty());
        let outcome = outcome(&format!("{A}\n\u{feff}{A}\n\u{feff}{A}"));
        assert_eq!(outcome.rejected[0].2, format!("\u{feff}{A}").as_bytes());
        assert_eq!(outcome.rejected.len(), 2);
    }

    #[test]
    fn a_file_in_utf_16_is_rejected_line_by_line_under_its_encodings_name() {
        let text = format!("\u{feff}{A}\n{A}\n");
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (bytes, name) in [(little, "utf-16 (little endian)"), (big, "utf-16 (big endian)")] {
            let outcome = Entries::of_text(&bytes);
            let reason = format!("expected utf-8, the file is {name}");
            assert!(outcome.rejected.len() >= 2);
            assert!(outcome.rejected.iter().all(|(_, why, _)| *why == reason));
            let rejected: Vec<_> = outcome.rejected.into_iter().map(|(.., bytes)| bytes).collect();
            assert_eq!(rejected.join(&b'\n'), bytes.strip_suffix(b"\n").unwrap_or(&bytes));
        }
    }

    #[test]
    fn bytes_that_cannot_be_in_a_path_are_named_by_their_place() {
        let outcome = Entries::of_text(b"-rw\xff\n-rw\0\nx\0\0\0");
        let nul = |at| format!("expected text, byte {at} is nul (is the file utf-16?)");
        assert_eq!(outcome.reasons(), [(1, "expected utf-8, byte 4 is not"), (2, &nul(4)), (3, &nul(2))]);
    }
}
