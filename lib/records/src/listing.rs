//! The one record format: an entry of a file listing, as a line of `ls`, as CSV, as JSON.

use std::io::{self, Write};
use std::marker::PhantomData;

use crate::blocks::Blocks;

pub mod csv;
pub mod json;
pub mod text;

/// How many fields an entry has.
const FIELDS: usize = 7;

/// One entry of a listing: its fields as they were printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Type and rights, `-rw-r--r--`, with the `+`, `.` or `@` that may follow.
    pub mode: &'a str,
    /// Number of hard links.
    pub links: &'a str,
    /// Owner, by name or number.
    pub user: &'a str,
    /// Group, by name or number.
    pub group: &'a str,
    /// Bytes; of a device `major, minor`, with one blank.
    pub size: &'a str,
    /// As printed, inner blanks and all: `Mar 19  2024`.
    pub date: &'a str,
    /// As printed; of a symlink `name -> target`.
    pub path: &'a str,
}

impl<'a> Entry<'a> {
    /// The fields in their order in every format.
    #[inline]
    pub fn fields(&self) -> [&'a str; FIELDS] {
        [self.mode, self.links, self.user, self.group, self.size, self.date, self.path]
    }

    #[inline]
    fn from_fields([mode, links, user, group, size, date, path]: [&'a str; FIELDS]) -> Self {
        Self { mode, links, user, group, size, date, path }
    }
}

/// A format that entries are written in.
pub trait Format {
    /// How much more room than the line's length [`Format::write_line`] may use.
    const SLACK: usize;

    /// Appends an entry.
    fn write(entry: &Entry<'_>, output: &mut Vec<u8>);

    /// Writes the entry in a line of the input to the start of `room`, in a shorter way than by having
    /// it read, and gives its length. None: the line is not ordinary enough, it is to be read.
    ///
    /// The outcome is that of reading and [`Format::write`]. Not asked about a file's first line.
    fn write_line(line: &[u8], room: &mut [u8]) -> Option<usize>;
}

/// Writes entries in large blocks; [`text::read`] and [`csv::read`] give them to it.
pub struct Writer<'a, F> {
    blocks: Blocks<'a>,
    /// Holds an entry that was read.
    entry: Vec<u8>,
    format: PhantomData<F>,
}

impl<'a, F: Format> Writer<'a, F> {
    /// Nothing is written before a block is full.
    pub fn new(output: &'a mut dyn Write) -> Self {
        let (blocks, entry) = (Blocks::new(output), Vec::new());
        Self { blocks, entry, format: PhantomData }
    }

    /// Writes what is left.
    pub fn finish(self) -> io::Result<()> {
        self.blocks.finish()
    }

    fn write(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        self.entry.clear();
        F::write(entry, &mut self.entry);
        self.blocks.append(&self.entry)
    }

    /// False: nothing was written, the line is to be read.
    #[inline]
    fn write_line(&mut self, line: &[u8]) -> io::Result<bool> {
        let room = self.blocks.room(line.len() + F::SLACK);
        let Some(length) = F::write_line(line, room) else {
            return Ok(false);
        };
        self.blocks.fill(length)?;
        Ok(true)
    }
}

#[cfg(test)]
mod testing;
