//! CSV -> the same cleaned, with a header: no blank lines, no space around fields, every row as wide as the header.
//!
//! Rows are read as csv-to-json reads them: a quoted field may hold line feeds, and a stray quote costs the line in which
//! it starts. What is no row of the right width, or not UTF-8, is rejected as it stands, behind the header: once it is
//! mended it can go the same way.

use std::io::{self, Read, Write};

use csv::{Writer, WriterBuilder};

use crate::csv_reader::{CsvReader, Fields};
use crate::delimited::{BehindHeader, Names, NamesError};
use crate::lines::{Line, Lines};
use crate::{BLOCK, Counts, Rejects, Unreadable, io_error};

/// Why nothing can be made of it.
#[derive(Debug, thiserror::Error)]
pub enum CleanError {
    /// Its first row names no columns.
    #[error("its first row cannot be the header")]
    Header(#[source] NamesError),
    /// No row fits: it is another data set, or an error page.
    #[error("it has no row of {columns} columns, and {rejected} others{example}")]
    NoRows {
        /// How many a row should have.
        columns: usize,
        /// How many were rejected.
        rejected: u64,
        /// The first of them, and why.
        example: String,
    },
    /// Reader, writer or rejects failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes the header and the rows that fit it. The columns' names are `names`, or else the first row.
///
/// # Errors
/// What was written until then is an incomplete output.
pub fn clean(
    input: &mut dyn Read,
    output: &mut dyn Write,
    rejects: &mut dyn Rejects,
    names: Option<&Names>,
) -> Result<Counts, CleanError> {
    let (mut lines, mut reader) = (Lines::new(input), CsvReader::new(None));
    let names = match names {
        Some(names) => names.clone(),
        None => first_row(&mut lines, &mut reader)?.map_err(CleanError::Header)?,
    };
    reader.set_columns(names.len());
    let mut output = writer(output);
    output.write_record(names.iter()).map_err(io_error)?;
    let mut rejects = BehindHeader { header: Some(line_of(&names)?), rejects };
    let (mut counts, mut example) = (Counts::default(), String::new());
    while let Some(line) = lines.next_line_or_reject(&mut rejects)? {
        let (number, why) = match line {
            Line::TooLong { number, .. } => (number, Unreadable::TooLong),
            Line::Whole { number, .. } => match reader.record_in_hand(number, &mut lines)? {
                Ok(Some(fields)) if !is_blank(&fields) => {
                    output.write_record(fields.iter().map(str::trim)).map_err(io_error)?;
                    counts.ok += 1;
                    continue;
                }
                Ok(_) => continue,
                Err(why) => {
                    rejects.reject(number, &why.to_string(), lines.in_hand())?;
                    (number, why)
                }
            },
        };
        counts.rejected += 1;
        if counts.rejected == 1 {
            example = format!(", the first in line {number}: {why}");
        }
    }
    output.flush()?;
    if counts.ok > 0 {
        return Ok(counts);
    }
    Err(CleanError::NoRows { columns: names.len(), rejected: counts.rejected, example })
}

/// The names that the first line has in which there is anything.
fn first_row(
    lines: &mut Lines<&mut dyn Read>,
    reader: &mut CsvReader,
) -> io::Result<Result<Names, NamesError>> {
    while let Some(line) = lines.next_line()? {
        let Line::Whole { number, .. } = line else { return Ok(Err(Unreadable::TooLong.into())) };
        match reader.record_in_hand(number, lines)? {
            Ok(Some(fields)) => return Ok(Names::new(fields.iter().map(str::trim))),
            Ok(None) => {}
            Err(why) => return Ok(Err(why.into())),
        }
    }
    Ok(Err(NamesError::Empty { field: 1 }))
}

/// A row of blanks alone, where rows have one column, is no row.
fn is_blank(fields: &Fields<'_>) -> bool {
    let mut fields = fields.iter();
    fields.len() == 1 && fields.all(|field| field.trim().is_empty())
}

/// The header as it is written, without its line feed.
fn line_of(names: &Names) -> io::Result<Vec<u8>> {
    let mut line = writer(Vec::new());
    line.write_record(names.iter()).map_err(io_error)?;
    let mut line = line.into_inner().map_err(|error| error.into_error())?;
    line.pop();
    Ok(line)
}

fn writer<W: Write>(output: W) -> Writer<W> {
    WriterBuilder::new().buffer_capacity(BLOCK).from_writer(output)
}

#[cfg(test)]
mod tests;
