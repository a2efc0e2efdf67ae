//! CSV -> [`Entry`].
//!
//! Read is a little more than RFC 4180: lines may end in LF or CRLF, a byte order mark may come first, and a quote inside
//! a field that does not start with one stands for itself, as with other readers. Any seven fields are a record: their
//! contents are not judged, and someone's header of seven names is one too. Blank lines are skipped.
//!
//! A quoted field may hold line feeds. Where such a record does not come out right, it is most likely a stray quote that
//! swallows lines; so only the line in which it starts is rejected, and reading resumes at the line after.
//!
//! Finding the end is linear in the file, however hostile it is, although lines are looked at again after a record that
//! did not come out right. A line is read on from only if, read as the start of a record, it ends inside a quoted field.
//! Inside someone else's record such a line always ends at least one field: where it does not, its quotes all come in
//! pairs, and pairs never leave a field open that was opened in the same line. And a record that has more than seven
//! fields is not read beyond its line. So no line is looked at more than eight times.

use std::io::{self, Read};
use std::ops::Range;

use csv_core::{ReadFieldResult, Reader, ReaderBuilder, Terminator};
use memchr::{memchr, memchr_iter};

use super::{Entry, FIELDS};
use crate::Unreadable;
use crate::encoding::{Encoding, is_blank, utf_8};
use crate::lines::Lines;

/// Reads records, one at a time.
pub(super) struct Records {
    encoding: Encoding,
    reader: Reader,
    /// The line that is read, with its line feed.
    line: Vec<u8>,
    /// The record's fields, unquoted, one behind the other, and room for more.
    unquoted: Vec<u8>,
    /// Where each of the first seven ends there.
    ends: [usize; FIELDS],
    /// How many have ended.
    ended: usize,
    /// The one that has not.
    field: Field,
}

/// A field that has not ended.
#[derive(Default)]
struct Field {
    /// Where it starts among the unquoted ones.
    start: usize,
    /// Where it ends there so far.
    end: usize,
    /// It starts with a quote.
    quoted: bool,
    /// Its length so far as it stands in the file.
    length: usize,
}

impl Field {
    /// Goes on with what stands in the file.
    fn extend(&mut self, piece: &[u8]) {
        if self.length == 0 {
            self.quoted = piece.starts_with(b"\"");
        }
        self.length += piece.len();
    }
}

impl Default for Records {
    fn default() -> Self {
        Self {
            encoding: Encoding::default(),
            // A carriage return in a field belongs to it.
            reader: ReaderBuilder::new().terminator(Terminator::Any(b'\n')).build(),
            line: Vec::new(),
            unquoted: Vec::new(),
            ends: [0; FIELDS],
            ended: 0,
            field: Field::default(),
        }
    }
}

impl Records {
    /// Nothing says so far that the file is not UTF-8.
    pub(super) fn may_be_utf_8(&self) -> bool {
        self.encoding.may_be_utf_8()
    }

    /// The entry of the record that starts in the line in hand, whose number is given; None: the line is to be skipped.
    /// Makes the whole record the line in hand, if it comes out right.
    pub(super) fn entry_in_hand(
        &mut self,
        number: u64,
        lines: &mut Lines<impl Read>,
    ) -> io::Result<Result<Option<Entry<'_>>, Unreadable>> {
        let line = match self.encoding.strip_mark(number, lines.in_hand()) {
            Ok(line) if is_blank(line) => return Ok(Ok(None)),
            Ok(line) => line,
            Err(why) => return Ok(Err(why)),
        };
        let mark = lines.in_hand().len() - line.len();
        // Without a quote the line is the whole record, and how many fields it has says less than that it is no text.
        if memchr(b'"', line).is_none()
            && let Err(why) = utf_8(line)
        {
            return Ok(Err(why));
        }
        if let Err(why) = self.read(lines, mark)? {
            return Ok(Err(why));
        }
        Ok(self.entry(&lines.in_hand()[mark..]).map(Some))
    }

    /// Reads the record that starts in the line in hand, after `mark` bytes, and joins to that line those in which it
    /// goes on. Where it does not come out right the line in hand stays as it was.
    fn read(&mut self, lines: &mut Lines<impl Read>, mark: usize) -> io::Result<Result<(), Unreadable>> {
        self.begin();
        let mut read = self.read_line(&lines.in_hand()[mark..]);
        while let Ok(Next::SameRecord) = read {
            if self.ended >= FIELDS {
                return Ok(Err(Unreadable::FieldsAndOpenQuote { found: self.ended + 1 }));
            }
            read = match lines.join()? {
                Some(line) => self.read_line(line).map_err(|_| Unreadable::OpenQuote),
                None => Err(Unreadable::OpenQuote),
            };
        }
        Ok(match read {
            Ok(_) if self.ended == FIELDS => {
                lines.keep_joined();
                Ok(())
            }
            Ok(_) => Err(Unreadable::Fields { found: self.ended }),
            Err(why) => Err(why),
        })
    }

    fn begin(&mut self) {
        self.reader.reset();
        // An empty line is skipped. Behind it a byte order mark is none, but a part of the field.
        self.reader.read_field(b"\n", &mut []);
        self.ended = 0;
        self.field = Field::default();
    }

    /// Reads one more line of the record, given without its line feed.
    fn read_line(&mut self, line: &[u8]) -> Result<Next, Unreadable> {
        self.line.clear();
        self.line.extend_from_slice(line);
        self.line.push(b'\n');
        // Nothing is longer than it stands in the file.
        self.unquoted.resize(self.field.end + self.line.len(), 0);
        let mut read = 0;
        while read < self.line.len() {
            let (result, input, output) =
                self.reader.read_field(&self.line[read..], &mut self.unquoted[self.field.end..]);
            self.field.end += output;
            let piece = read..read + input;
            read = piece.end;
            match result {
                ReadFieldResult::Field { record_end } => {
                    self.end_field(piece, record_end)?;
                    if record_end {
                        return Ok(Next::NextRecord);
                    }
                }
                _ => self.field.extend(&self.line[piece]),
            }
        }
        Ok(Next::SameRecord)
    }

    /// Ends the field whose last bytes are that piece of the line, with the comma or line feed after it.
    fn end_field(&mut self, piece: Range<usize>, record_end: bool) -> Result<(), Unreadable> {
        let mut last = &self.line[piece.start..piece.end - 1];
        if record_end && let Some(stripped) = last.strip_suffix(b"\r") {
            last = stripped;
            self.field.end -= 1;
        }
        self.field.extend(last);
        let Field { start, end, quoted, length } = self.field;
        // The reader lets text follow a closing quote.
        let quotes = memchr_iter(b'"', &self.unquoted[start..end]).count();
        if quoted && (!last.ends_with(b"\"") || length != 1 + end - start + quotes + 1) {
            return Err(Unreadable::TextAfterQuote);
        }
        if let Some(ended) = self.ends.get_mut(self.ended) {
            *ended = end;
        }
        self.ended += 1;
        self.field = Field { start: end, end, ..Field::default() };
        Ok(())
    }

    /// The entry that was read from `record`.
    fn entry(&self, record: &[u8]) -> Result<Entry<'_>, Unreadable> {
        utf_8(record)?;
        // Of text, what is left without some quotes and commas is text.
        let mut rest = utf_8(&self.unquoted[..self.field.start])?;
        let mut start = 0;
        Ok(Entry::from_fields(self.ends.map(|end| {
            let (field, after) = rest.split_at(end - start);
            (rest, start) = (after, end);
            field
        })))
    }
}

/// What the line after belongs to.
enum Next {
    SameRecord,
    NextRecord,
}

#[cfg(test)]
mod tests;
