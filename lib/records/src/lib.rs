//! What the three stages read and write, as pure code: bytes in, bytes out.
//!
//! [`lines`] frames any reader into lines in bounded memory, [`listing`] is the one record format: a file listing as text,
//! as CSV and as JSON. Other formats come beside it, as [conversions](Conversion) of their own.
//!
//! Here is no file, no clock, no thread, no network and no log: who calls brings a reader, a writer and [`Rejects`] for
//! what cannot be read. Nothing here mends, guesses or leaves out: a line is read without doubt, or rejected with a reason.
//!
//! ```text
//! lib.rs              Conversion, Counts, Rejects, MAX_LINE
//! lines.rs            reader -> lines, with their numbers and offsets
//! encoding.rs         bytes -> UTF-8, byte order marks
//! unreadable.rs       every reason for a rejection
//! listing.rs          Entry
//!   text_to_csv.rs    lines of ls -> CSV
//!   csv_to_json.rs    CSV -> documents
//!   text.rs           a line of ls -> Entry
//!   csv.rs            a CSV record -> Entry
//! ```

#[cfg(test)]
extern crate self as records;

use std::io::{self, Read, Write};

mod encoding;
pub mod lines;
pub mod listing;
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

#[cfg(test)]
mod testing;
