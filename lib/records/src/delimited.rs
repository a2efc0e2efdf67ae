//! CSV whose fields have names -> JSON, one document a line: the values strings, in the order of the fields.
//!
//! The names are the [first row's](csv_to_json_by_header), or [given](csv_to_json). CSV is read as that of listings is;
//! a record with another number of fields is rejected.
//!
//! A header that cannot be used says nothing of the lines behind it, so they are all rejected with it, as they stand. Where
//! it can, it stands before those that are rejected: mended, they go the same way again.

use std::collections::HashMap;
use std::io::{self, BufWriter, Read, Write};
use std::str::FromStr;

use serde::Serializer as _;

use crate::csv_reader::CsvReader;
use crate::encoding::is_blank;
use crate::lines::{Line, Lines};
use crate::{BLOCK, Convert, Counts, MAX_LINE, Rejects, Unreadable};

/// The longest name, in bytes. Each record repeats it: so documents are at most about as many times as long as the CSV.
const MAX_NAME: usize = 1 << 10;

/// The names of a record's fields: each has one, and no two have the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(Vec<String>);

/// Why fields cannot be named so. They count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NamesError {
    /// It is no CSV record.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Nothing but blanks.
    #[error("field {field} has no name")]
    Empty {
        /// Which.
        field: usize,
    },
    /// A document can have only one member of a name.
    #[error("fields {first} and {second} have the same name `{name}`")]
    Twice {
        /// Theirs.
        name: String,
        /// The first of that name.
        first: usize,
        /// The second.
        second: usize,
    },
    /// More than 1 KiB.
    #[error("the name of field {field} is longer than 1 KiB")]
    TooLong {
        /// Which.
        field: usize,
    },
    /// Names are one record, on one line or, with quotes, on several.
    #[error("expected the names, separated by commas, and nothing else")]
    NotOne,
}

impl FromStr for Names {
    type Err = NamesError;

    /// Reads names as a header has them.
    fn from_str(text: &str) -> Result<Self, NamesError> {
        let (mut lines, mut reader) = (Lines::new(text.as_bytes()), CsvReader::new(None));
        // Nothing fails in memory.
        match lines.next_line().ok().flatten() {
            Some(Line::Whole { number, .. }) => {
                let names = reader.record_in_hand(number, &mut lines).ok().ok_or(NamesError::NotOne)??;
                let names = Names::new(names.ok_or(NamesError::Empty { field: 1 })?.iter())?;
                let is_all = matches!(lines.next_line(), Ok(None));
                if is_all { Ok(names) } else { Err(NamesError::NotOne) }
            }
            Some(Line::TooLong { .. }) => Err(Unreadable::TooLong.into()),
            None => Err(NamesError::Empty { field: 1 }),
        }
    }
}

impl Names {
    /// These names without the space around them.
    ///
    /// # Errors
    /// Space alone told two of them apart.
    pub fn trimmed(&self) -> Result<Self, NamesError> {
        Names::new(self.iter().map(str::trim))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub(crate) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, NamesError> {
        let mut seen = HashMap::new();
        let names: Vec<String> = names.map(str::to_owned).collect();
        for (name, field) in names.iter().zip(1..) {
            if is_blank(name.as_bytes()) {
                return Err(NamesError::Empty { field });
            }
            if name.len() > MAX_NAME {
                return Err(NamesError::TooLong { field });
            }
            if let Some(first) = seen.insert(name, field) {
                return Err(NamesError::Twice { name: name.clone(), first, second: field });
            }
        }
        Ok(Names(names))
    }
}

/// Returns the conversion that writes each record as a JSON document whose members have these names; what is no record of
/// as many fields goes to the rejects.
pub fn csv_to_json(names: Names) -> impl Convert + Send + 'static {
    move |input: &mut dyn Read, output: &mut dyn Write, rejects: &mut dyn Rejects| {
        let reader = CsvReader::new(Some(names.0.len()));
        Conversion { lines: Lines::new(input), reader, counts: Counts::default() }
            .run(&names, output, rejects)
    }
}

/// Writes each record but the first as a JSON document whose members have the names that the first gives; what is no record
/// of as many fields goes to `rejects`, behind the header.
///
/// Errors of the three are passed on unchanged; what was written until then is an incomplete output.
pub fn csv_to_json_by_header(
    input: &mut dyn Read,
    output: &mut dyn Write,
    rejects: &mut dyn Rejects,
) -> io::Result<Counts> {
    let mut conversion =
        Conversion { lines: Lines::new(input), reader: CsvReader::new(None), counts: Counts::default() };
    match conversion.read_header(rejects)? {
        Header::None => Ok(conversion.counts),
        Header::Unusable { line, why } => conversion.reject_rest(line, &why, rejects),
        Header::Names(names) => {
            conversion.reader.set_columns(names.0.len());
            let header = Some(conversion.lines.in_hand().to_vec());
            conversion.run(&names, output, &mut BehindHeader { header, rejects })
        }
    }
}

/// What the first row says.
enum Header {
    /// There is no row.
    None,
    /// It is rejected.
    Unusable {
        line: u64,
        why: String,
    },
    Names(Names),
}

/// CSV on its way.
struct Conversion<'a> {
    lines: Lines<&'a mut dyn Read>,
    reader: CsvReader,
    counts: Counts,
}

impl Conversion<'_> {
    /// Writes the document of each record that is left.
    fn run(mut self, names: &Names, output: &mut dyn Write, rejects: &mut dyn Rejects) -> io::Result<Counts> {
        let mut output = BufWriter::with_capacity(BLOCK, output);
        let mut document = Vec::new();
        while let Some(line) = self.lines.next_line_or_reject(rejects)? {
            let Line::Whole { number, .. } = line else {
                self.counts.rejected += 1;
                continue;
            };
            let why = match self.reader.record_in_hand(number, &mut self.lines)? {
                Ok(None) => continue,
                Ok(Some(fields)) => {
                    document.clear();
                    let mut json = serde_json::Serializer::new(&mut document);
                    json.collect_map(names.0.iter().zip(fields.iter()))?;
                    (document.len() > MAX_LINE).then_some(Unreadable::LongDocument)
                }
                Err(why) => Some(why),
            };
            if let Some(why) = why {
                self.reject(number, &why.to_string(), rejects)?;
                continue;
            }
            document.push(b'\n');
            output.write_all(&document)?;
            self.counts.ok += 1;
        }
        output.flush()?;
        Ok(self.counts)
    }

    /// Reads the first row that is not blank, and makes it the line in hand.
    fn read_header(&mut self, rejects: &mut dyn Rejects) -> io::Result<Header> {
        while let Some(line) = self.lines.next_line_or_reject(rejects)? {
            let number = match line {
                Line::Whole { number, .. } => number,
                Line::TooLong { number, .. } => {
                    self.counts.rejected += 1;
                    return Ok(Header::Unusable { line: number, why: Unreadable::TooLong.to_string() });
                }
            };
            let names = match self.reader.record_in_hand(number, &mut self.lines)? {
                Ok(None) => continue,
                Ok(Some(fields)) => Names::new(fields.iter()),
                Err(why) => Err(why.into()),
            };
            return match names {
                Ok(names) => Ok(Header::Names(names)),
                Err(why) => {
                    let why = why.to_string();
                    self.reject(number, &format!("the header cannot be used: {why}"), rejects)?;
                    Ok(Header::Unusable { line: number, why })
                }
            };
        }
        Ok(Header::None)
    }

    /// Rejects every line that is left, blank ones too: they may stand within a field.
    fn reject_rest(mut self, header: u64, why: &str, rejects: &mut dyn Rejects) -> io::Result<Counts> {
        let why = format!("the header, line {header}, cannot be used: {why}");
        while let Some(line) = self.lines.next_line_or_reject(rejects)? {
            if let Line::Whole { number, bytes, .. } = line {
                rejects.reject(number, &why, bytes)?;
            }
            self.counts.rejected += 1;
        }
        Ok(self.counts)
    }

    /// Rejects the line in hand.
    fn reject(&mut self, number: u64, reason: &str, rejects: &mut dyn Rejects) -> io::Result<()> {
        self.counts.rejected += 1;
        rejects.reject(number, reason, self.lines.in_hand())
    }
}

/// Puts the header before the first line that is rejected.
pub(crate) struct BehindHeader<'a> {
    pub(crate) header: Option<Vec<u8>>,
    pub(crate) rejects: &'a mut dyn Rejects,
}

impl Rejects for BehindHeader<'_> {
    fn start(&mut self, line: u64, reason: &str) -> io::Result<()> {
        if let Some(header) = self.header.take() {
            self.rejects.header(&header)?;
        }
        self.rejects.start(line, reason)
    }

    fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.rejects.piece(bytes)
    }

    fn end(&mut self) -> io::Result<()> {
        self.rejects.end()
    }
}

#[cfg(test)]
mod tests;
