//! Text of which a regular expression tells the fields -> CSV with a header.
//!
//! One record a line: the pattern's named groups are its fields, in the order in which they open. A line that the pattern
//! does not match is rejected; as with `grep`, it may match anywhere in the line unless it is anchored. A group that takes
//! no part in the match is an empty field. Blank lines are skipped.
//!
//! The header comes before the first record; where there is none, nothing is written.

use std::io::{self, BufWriter, Read, Write};
use std::str::FromStr;

use regex::{CaptureLocations, Regex};

use crate::encoding::{Text, is_blank};
use crate::lines::{Line, Lines};
use crate::{BLOCK, Convert, Counts, MAX_LINE, Rejects, Unreadable, io_error};

/// A regular expression with named groups.
///
/// Matching takes time linear in the line, and memory that depends on the pattern alone: so the `regex` crate promises.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: Regex,
    /// The numbers of the named groups.
    groups: Vec<usize>,
}

/// Why a text is no pattern.
#[derive(Debug, thiserror::Error)]
pub enum PatternError {
    /// It is no regular expression.
    #[error(transparent)]
    Regex(#[from] regex::Error),
    /// None of its groups has a name, so there would be no column.
    #[error("no group in it has a name, such as (?<status>[0-9]+): named groups become the columns")]
    NoNamedGroup,
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let regex = Regex::new(text)?;
        let groups: Vec<_> =
            regex.capture_names().enumerate().filter_map(|(group, name)| name.map(|_| group)).collect();
        if groups.is_empty() { Err(PatternError::NoNamedGroup) } else { Ok(Self { regex, groups }) }
    }
}

impl Pattern {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.regex.capture_names().flatten()
    }

    /// The fields of a line.
    fn fields<'a>(
        &'a self,
        line: &'a str,
        found: &'a mut CaptureLocations,
    ) -> Result<impl Iterator<Item = &'a str> + Clone, Unreadable> {
        self.regex.captures_read(found, line).ok_or(Unreadable::NoMatch)?;
        let found = &*found;
        let field = |&group| found.get(group).map_or("", |(start, end)| &line[start..end]);
        let fields = self.groups.iter().map(field);
        if is_longer_as_csv(fields.clone()) { Err(Unreadable::LongRecord) } else { Ok(fields) }
    }
}

/// Whether a record may be longer than the next stage reads: with quotes around each field, and those within doubled.
fn is_longer_as_csv<'a>(fields: impl Iterator<Item = &'a str> + Clone) -> bool {
    let bytes: usize = fields.clone().map(|field| field.len() + 3).sum();
    let quotes = || -> usize { fields.map(|field| field.matches('"').count()).sum() };
    // Rarely is there so much that quotes need to be counted.
    2 * bytes > MAX_LINE && bytes + quotes() > MAX_LINE
}

/// Returns the conversion that writes each line of the text as the CSV record that `pattern` makes of it; what it does not
/// match goes to the rejects.
pub fn text_to_csv(pattern: Pattern) -> impl Convert + Send + 'static {
    move |input: &mut dyn Read, output: &mut dyn Write, rejects: &mut dyn Rejects| {
        convert(&pattern, input, output, rejects)
    }
}

fn convert(
    pattern: &Pattern,
    input: &mut dyn Read,
    output: &mut dyn Write,
    rejects: &mut dyn Rejects,
) -> io::Result<Counts> {
    let (mut lines, mut text, mut counts) = (Lines::new(input), Text::default(), Counts::default());
    let mut found = pattern.regex.capture_locations();
    let output = BufWriter::with_capacity(BLOCK, output);
    let mut records = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(output);
    while let Some(line) = lines.next_line_or_reject(rejects)? {
        let Line::Whole { number, bytes, .. } = line else {
            counts.rejected += 1;
            continue;
        };
        let line = match text.line(number, bytes) {
            Ok(line) if is_blank(line.as_bytes()) => continue,
            line => line,
        };
        match line.and_then(|line| pattern.fields(line, &mut found)) {
            Ok(fields) => {
                if counts.ok == 0 {
                    records.write_record(pattern.names()).map_err(io_error)?;
                }
                records.write_record(fields).map_err(io_error)?;
                counts.ok += 1;
            }
            Err(why) => {
                rejects.reject(number, &why.to_string(), bytes)?;
                counts.rejected += 1;
            }
        }
    }
    records.flush()?;
    Ok(counts)
}

#[cfg(test)]
mod tests;
