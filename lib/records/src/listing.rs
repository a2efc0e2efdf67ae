//! The listing format: an entry of a file listing, as a line of `ls`, as CSV, as JSON.
//!
//! [`text_to_csv()`] and [`csv_to_json()`] are the two conversions, each a function from a reader to a writer. Either reads
//! nearly every line on a fast path, a short look that is enough for lines without anything special, and the others
//! with care: both come to the same bytes.

use serde::Serialize;

mod csv_to_json;
mod text;
mod text_to_csv;

pub use csv_to_json::csv_to_json;
pub use text_to_csv::text_to_csv;

#[cfg(any(test, fuzzing))]
pub use {csv_to_json::csv_to_json_without_fast_path, text_to_csv::text_to_csv_without_fast_path};

/// How many fields an entry has.
pub(crate) const FIELDS: usize = 7;

/// One entry of a listing: its fields as they were printed, in their order, under their names in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Entry<'a> {
    /// Type and rights, `-rw-r--r--`, with the `+`, `.` or `@` that may follow.
    #[serde(rename = "mod")]
    mode: &'a str,
    /// Number of hard links.
    #[serde(rename = "no")]
    links: &'a str,
    /// Owner, by name or number.
    user: &'a str,
    /// Group, by name or number.
    group: &'a str,
    /// Bytes; of a device `major, minor`, with one blank. Its name in JSON is historic.
    #[serde(rename = "usrno")]
    size: &'a str,
    /// As printed, inner blanks and all: `Mar 19  2024`.
    date: &'a str,
    /// As printed; of a symlink `name -> target`.
    #[serde(rename = "file")]
    path: &'a str,
}

impl<'a> Entry<'a> {
    fn fields(&self) -> [&'a str; FIELDS] {
        [self.mode, self.links, self.user, self.group, self.size, self.date, self.path]
    }

    fn from_fields([mode, links, user, group, size, date, path]: [&'a str; FIELDS]) -> Self {
        Self { mode, links, user, group, size, date, path }
    }
}

#[cfg(test)]
pub(crate) mod testing;
