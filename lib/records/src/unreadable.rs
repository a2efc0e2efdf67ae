use thiserror::Error;

/// Why a line cannot be read: what its user finds beside the rejected line.
///
/// Positions count bytes from 1, in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// More than [`MAX_LINE`](crate::MAX_LINE) bytes.
    #[error("longer than 1 MiB")]
    TooLong,
    /// The file starts with the byte order mark of UTF-16; so all of its lines are rejected.
    #[error("expected utf-8, the file is {0}")]
    Utf16(&'static str),
    /// The byte there begins no character.
    #[error("expected utf-8, byte {position} is not")]
    NotUtf8 {
        /// In bytes, from 1.
        position: usize,
    },
    /// No path can hold it; files in UTF-16 without a byte order mark are full of it.
    #[error("expected text, byte {position} is nul (is the file utf-16?)")]
    Nul {
        /// In bytes, from 1.
        position: usize,
    },

    /// What `ls` says when it fails, sent to the same file.
    #[error("a message of ls, not an entry")]
    Message,
    /// The line does not start as a line of `ls -l` does.
    #[error("expected a mode such as -rw-r--r-- first (list with ls -l or ls -ld)")]
    Mode,
    /// There is a mode, but not at the start.
    #[error("expected the mode first, there is a column before it (list without -i and -s)")]
    ColumnBeforeMode,
    /// `ls -l` prints question marks for what it could not ask the system about.
    #[error("ls could not read this entry's mode")]
    UnknownMode,
    /// No number after the mode.
    #[error("expected the number of links after the mode")]
    Links,
    /// None of the dates that are understood, or none in its place.
    #[error("expected a date such as `Mar 19 23:57` or `2024-03-19 23:57` (list with LC_ALL=C)")]
    Date,
    /// The date is the last thing in the line.
    #[error("expected a path after the date")]
    Path,
    /// Before the date stands something else than digits, or than `major, minor` for a device.
    #[error("expected a size in bytes before the date (list without -h)")]
    Size,
    /// Fewer than two names between links and size.
    #[error("expected a user and a group (list without -g, -o and -G)")]
    Names,
    /// A security context stands between group and size.
    #[error("expected the size after the group, there is a security context (list without -Z)")]
    SecurityContext,
    /// More than two words between links and size, one of them a number: a date may lie there that is not understood,
    /// with another in the path, or a column more.
    #[error("cannot tell the columns before the date apart (list with ls -l or ls -ld, and with LC_ALL=C)")]
    AmbiguousColumns,
    /// More than two words between links and size, and nothing tells where the group starts.
    #[error("cannot tell user and group apart, there are more than two words (list with -n)")]
    AmbiguousNames,

    /// Nowhere in the line, or where it is anchored not as a whole.
    #[error("the pattern does not match")]
    NoMatch,
    /// Groups within groups repeat what they match, quotes in fields are doubled.
    #[error("its CSV record would be longer than 1 MiB")]
    LongRecord,

    /// A record of another length.
    #[error("expected {expected} fields, found {found}")]
    Fields {
        /// How many it should have.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// A record that has too many fields before its line ends inside a quoted one; it is not read on.
    #[error("expected {expected} fields, found {found} and the last one's quote not closed in this line")]
    FieldsAndOpenQuote {
        /// How many it should have.
        expected: usize,
        /// How many it has so far.
        found: usize,
    },
    /// A quoted field goes on beyond the line, and does not end as it should.
    #[error("expected the quote opened in this line to be closed within 1 MiB, before a comma or a line end")]
    OpenQuote,
    /// As [`OpenQuote`](Self::OpenQuote), but not read on, lest looking for ends takes more time than the file is worth.
    #[error("expected the quote opened in this line to be closed in it: too many before it were not closed")]
    OpenQuotes,
    /// After a quoted field stands something else than a comma or the end of the line.
    #[error("expected a comma after a closing quote (quotes inside a field are doubled)")]
    TextAfterQuote,
    /// With its fields' names the record is longer than the next stage reads.
    #[error("its JSON document would be longer than 1 MiB")]
    LongDocument,
}
