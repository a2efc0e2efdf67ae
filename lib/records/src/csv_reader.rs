//! CSV -> records of a number of fields.
//!
//! Read is a little more than RFC 4180: lines may end in LF or CRLF, a byte order mark may come first, and a quote inside
//! a field that does not start with one stands for itself, as with other readers. Any fields of the right number are a
//! record: their contents are not judged. Blank lines are skipped; where records have one field, only empty ones.
//!
//! A quoted field may hold line feeds. Where such a record does not come out right, it is most likely a stray quote that
//! swallows lines; so only the line in which it starts is rejected, and reading resumes at the line after.
//!
//! Finding the end is linear in the file, however hostile it is, although lines are looked at again after a record that
//! did not come out right. A line is read on from only if, read as the start of a record, it ends inside a quoted field.
//! Inside someone else's record such a line always ends at least one field: where it does not, its quotes all come in
//! pairs, and pairs never leave a field open that was opened in the same line. And a record that has more fields than it
//! should is not read beyond its line. So records of seven fields have no line looked at more than eight times. Where
//! there are more fields, what may be looked at in vain is bounded by as much: beyond, a line that ends in an open quote
//! is rejected as it stands.

use std::io::{self, Read};
use std::ops::Range;

use csv_core::{ReadFieldResult, Reader, ReaderBuilder, Terminator};
use memchr::{memchr, memchr_iter};

use crate::encoding::{Encoding, is_blank, utf_8};
use crate::lines::Lines;
use crate::{MAX_LINE, Unreadable};

/// How often all lines together may be looked at again in vain.
const LOOKS: usize = 8;

/// Reads records, one at a time.
pub(crate) struct CsvReader {
    /// How many fields a record has; none: any number.
    columns: Option<usize>,
    encoding: Encoding,
    reader: Reader,
    /// The line that is read, with its line feed.
    line: Vec<u8>,
    /// The record's fields, unquoted, one behind the other, and room for more.
    unquoted: Vec<u8>,
    /// Where each of them ends there, but for those beyond the number that a record has.
    ends: Vec<usize>,
    /// How many have ended.
    ended: usize,
    /// The one that has not.
    field: Field,
    /// So many bytes may yet be looked at in vain.
    spare: usize,
}

/// A record's fields.
pub(crate) struct Fields<'a> {
    text: &'a str,
    ends: &'a [usize],
}

impl<'a> Fields<'a> {
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &'a str> {
        let (text, mut start) = (self.text, 0);
        self.ends.iter().map(move |&end| &text[std::mem::replace(&mut start, end)..end])
    }
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

impl CsvReader {
    /// Reads records of so many fields; none: of any number.
    pub(crate) fn new(columns: Option<usize>) -> Self {
        Self {
            columns,
            encoding: Encoding::default(),
            // A carriage return in a field belongs to it.
            reader: ReaderBuilder::new().terminator(Terminator::Any(b'\n')).build(),
            line: Vec::new(),
            unquoted: Vec::new(),
            ends: Vec::new(),
            ended: 0,
            field: Field::default(),
            spare: LOOKS * MAX_LINE,
        }
    }

    /// From now on records have so many fields.
    pub(crate) fn set_columns(&mut self, columns: usize) {
        self.columns = Some(columns);
    }

    /// Nothing says so far that the file is not UTF-8.
    pub(crate) fn may_be_utf_8(&self) -> bool {
        self.encoding.may_be_utf_8()
    }

    /// The fields of the record that starts in the line in hand, whose number is given; None: the line is to be skipped.
    /// Makes the whole record the line in hand, if it comes out right.
    pub(crate) fn record_in_hand(
        &mut self,
        number: u64,
        lines: &mut Lines<impl Read>,
    ) -> io::Result<Result<Option<Fields<'_>>, Unreadable>> {
        let line = match self.encoding.strip_mark(number, lines.in_hand()) {
            Ok(line) if self.is_to_be_skipped(line) => return Ok(Ok(None)),
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
        Ok(self.fields(&lines.in_hand()[mark..]).map(Some))
    }

    /// Blanks are a record, where that has one field.
    fn is_to_be_skipped(&self, line: &[u8]) -> bool {
        if self.columns == Some(1) { matches!(line, b"" | b"\r") } else { is_blank(line) }
    }

    /// Reads the record that starts in the line in hand, after `mark` bytes, and joins to that line those in which it
    /// goes on. Where it does not come out right the line in hand stays as it was.
    fn read(&mut self, lines: &mut Lines<impl Read>, mark: usize) -> io::Result<Result<(), Unreadable>> {
        self.begin();
        let mut read = self.read_line(&lines.in_hand()[mark..]);
        self.spare += LOOKS * (lines.in_hand().len() + 1);
        let mut joined = 0;
        while let Ok(Next::SameRecord) = read {
            if let Some(expected) = self.columns
                && self.ended >= expected
            {
                read = Err(Unreadable::FieldsAndOpenQuote { expected, found: self.ended + 1 });
                break;
            }
            read = match lines.join()? {
                Some(line) => {
                    joined += line.len() + 1;
                    if joined > self.spare {
                        Err(Unreadable::OpenQuotes)
                    } else {
                        self.read_line(line).map_err(|_| Unreadable::OpenQuote)
                    }
                }
                None => Err(Unreadable::OpenQuote),
            };
        }
        let read = read.and(match self.columns {
            Some(expected) if self.ended != expected => {
                Err(Unreadable::Fields { expected, found: self.ended })
            }
            _ => Ok(()),
        });
        if read.is_ok() {
            lines.keep_joined();
            self.spare += LOOKS * joined;
        } else {
            self.spare = self.spare.saturating_sub(joined);
        }
        Ok(read)
    }

    fn begin(&mut self) {
        self.reader.reset();
        // An empty line is skipped. Behind it a byte order mark is none, but a part of the field.
        self.reader.read_field(b"\n", &mut []);
        self.ends.clear();
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
        if self.columns.is_none_or(|columns| self.ended < columns) {
            self.ends.push(end);
        }
        self.ended += 1;
        self.field = Field { start: end, end, ..Field::default() };
        Ok(())
    }

    /// The fields that were read from `record`.
    fn fields(&self, record: &[u8]) -> Result<Fields<'_>, Unreadable> {
        utf_8(record)?;
        // Of text, what is left without some quotes and commas is text.
        let text = utf_8(&self.unquoted[..self.field.start])?;
        Ok(Fields { text, ends: &self.ends })
    }
}

/// What the line after belongs to.
enum Next {
    SameRecord,
    NextRecord,
}

#[cfg(test)]
mod tests;
