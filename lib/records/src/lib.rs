//! What the three stages read and write, as pure code: bytes in, bytes out.
//!
//! [`lines`] frames any reader into lines in bounded memory. Of formats there are [`listing`], a file listing as text, as
//! CSV and as JSON; [`pattern`], lines of which a regular expression tells the fields; and [`delimited`], CSV whose
//! fields have names, which [`clean`](clean::clean) makes of CSV as it is found. Others come beside them, as [conversions](Convert) of their own.
//!
//! Here is no file, no clock, no thread, no network and no log: who calls brings a reader, a writer and [`Rejects`] for
//! what cannot be read. Nothing here mends, guesses or leaves out: a line is read without doubt, or rejected with a reason.
//!
//! ```text
//! lib.rs              Convert, Counts, Rejects, MAX_LINE
//! lines.rs            reader -> lines, with their numbers and offsets
//! encoding.rs         bytes -> UTF-8, byte order marks
//! csv_reader.rs       CSV -> records of a number of fields
//! unreadable.rs       every reason for a rejection
//! pattern.rs          lines that a pattern matches -> CSV
//! clean.rs            CSV -> CSV with a header, trimmed, without what does not fit
//! delimited.rs        CSV -> documents, the fields named by a header or by the user
//! listing.rs          Entry
//!   text_to_csv.rs    lines of ls -> CSV
//!   csv_to_json.rs    CSV -> documents
//!   text.rs           a line of ls -> Entry
//! ```

#[cfg(test)]
extern crate self as records;

use std::io::{self, Read, Write};

pub mod clean;
mod csv_reader;
pub mod delimited;
mod encoding;
pub mod lines;
pub mod listing;
pub mod pattern;
mod unreadable;

pub use unreadable::Unreadable;

/// The longest line, in bytes without its line feed, that is looked at; longer ones are rejected.
/// Equally the longest CSV record, where it spans lines.
pub const MAX_LINE: usize = 1 << 20;

/// What is read and written at once. Large enough that a call's own cost vanishes, small enough to stay in a core's cache.
const BLOCK: usize = 256 << 10;

/// A format of records turned into another: from a reader to a writer, with what cannot be read put into `Rejects`.
///
/// Errors of the three are passed on unchanged; what was written until then is an incomplete output.
pub trait Convert: Fn(&mut dyn Read, &mut dyn Write, &mut dyn Rejects) -> io::Result<Counts> {}

impl<F: Fn(&mut dyn Read, &mut dyn Write, &mut dyn Rejects) -> io::Result<Counts>> Convert for F {}

/// A conversion that needs no settings.
pub type Conversion = fn(&mut dyn Read, &mut dyn Write, &mut dyn Rejects) -> io::Result<Counts>;

/// How many records a conversion wrote and how many it rejected. Skipped lines are in neither.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Records written.
    pub ok: u64,
    /// Calls of [`Rejects::start`].
    pub rejected: u64,
}

/// Where a conversion puts the lines it cannot read.
///
/// A rejected line comes as one `start`, any number of `piece`s and one `end`; the pieces together
/// are its bytes as they stood in the input, without its line feed. An error of these methods ends
/// the conversion and is passed on unchanged.
pub trait Rejects {
    /// Begins a rejected line: its 1-based number in the input, and for a person why it could not
    /// be read.
    fn start(&mut self, line: u64, reason: &str) -> io::Result<()>;

    /// The next bytes of the line begun last.
    fn piece(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Ends the line begun last.
    fn end(&mut self) -> io::Result<()>;

    /// Puts in a line, before the first that is rejected, without which those behind it cannot be read: a header. It is not
    /// rejected itself.
    fn header(&mut self, line: &[u8]) -> io::Result<()> {
        self.piece(line)?;
        self.end()
    }

    /// Rejects a line that is in memory as a whole.
    fn reject(&mut self, line: u64, reason: &str, bytes: &[u8]) -> io::Result<()> {
        self.start(line, reason)?;
        self.piece(bytes)?;
        self.end()
    }
}

/// Drops what is rejected.
impl Rejects for () {
    fn start(&mut self, _: u64, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn piece(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A CSV writer's own error, as it was.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

#[cfg(test)]
mod testing;
