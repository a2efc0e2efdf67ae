//! `listing.csv` -> `listing.json`.

use std::io::{self, Read, Write};

use records::listing::{Entry, Format, Writer, csv, json};
use records::{Counts, Rejects};

use crate::ordinary;

/// Writes each record of the CSV that `input` holds as a JSON document; what is no record of seven
/// fields goes to `rejects`.
///
/// Errors of the three are passed on unchanged; what was written until then is an incomplete output.
pub fn convert(
    input: &mut dyn Read,
    output: &mut dyn Write,
    rejects: &mut dyn Rejects,
) -> io::Result<Counts> {
    let mut documents = Writer::<Json>::new(output);
    let counts = csv::read(input, rejects, &mut documents)?;
    documents.finish()?;
    Ok(counts)
}

struct Json;

impl Format for Json {
    const SLACK: usize = ordinary::SLACK;

    fn write(entry: &Entry<'_>, output: &mut Vec<u8>) {
        json::write(entry, output);
    }

    #[inline]
    fn write_line(line: &[u8], room: &mut [u8]) -> Option<usize> {
        ordinary::write(line, room)
    }
}
