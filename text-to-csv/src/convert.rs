//! `listing.txt` -> `listing.csv`.

use std::io::{self, Read, Write};

use records::listing::{Entry, Format, Writer, csv, text};
use records::{Counts, Rejects};

use crate::ordinary;

/// Writes each entry of the listing that `input` holds as a CSV record; what is no entry goes to
/// `rejects`.
///
/// Errors of the three are passed on unchanged; what was written until then is an incomplete output.
pub fn convert(
    input: &mut dyn Read,
    output: &mut dyn Write,
    rejects: &mut dyn Rejects,
) -> io::Result<Counts> {
    let mut records = Writer::<Csv>::new(output);
    let counts = text::read(input, rejects, &mut records)?;
    records.finish()?;
    Ok(counts)
}

struct Csv;

impl Format for Csv {
    const SLACK: usize = ordinary::SLACK;

    fn write(entry: &Entry<'_>, output: &mut Vec<u8>) {
        csv::write(entry, output);
    }

    #[inline]
    fn write_line(line: &[u8], room: &mut [u8]) -> Option<usize> {
        ordinary::write(line, room)
    }
}
