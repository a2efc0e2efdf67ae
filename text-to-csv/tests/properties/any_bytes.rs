//! What holds for any bytes as a listing: for the properties here, and for the fuzz target `listing`.

use std::io::{self, Read};

use records::listing::{Entry, Format, Writer, csv as ours, text};
use records::{Counts, Rejects};

/// What came of an input.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    /// CSV.
    pub(crate) output: Vec<u8>,
    /// As the conversion counts.
    pub(crate) counts: Counts,
    /// Line numbers and bytes.
    pub(crate) rejected: Vec<(u64, Vec<u8>)>,
}

impl Rejects for Outcome {
    fn start(&mut self, line: u64, reason: &str) -> io::Result<()> {
        assert!(!reason.is_empty());
        self.rejected.push((line, Vec::new()));
        Ok(())
    }

    fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.rejected.last_mut().unwrap().1.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Converts as the stage does.
pub(crate) fn convert(mut input: impl Read) -> Outcome {
    let mut outcome = Outcome::default();
    let mut output = Vec::new();
    outcome.counts = text_to_csv::convert(&mut input, &mut output, &mut outcome).unwrap();
    outcome.output = output;
    outcome
}

/// As the stage writes, but without its short way: each line is read with care.
struct Careful;

impl Format for Careful {
    const SLACK: usize = 0;

    fn write(entry: &Entry<'_>, output: &mut Vec<u8>) {
        ours::write(entry, output);
    }

    fn write_line(_: &[u8], _: &mut [u8]) -> Option<usize> {
        None
    }
}

fn convert_with_care(input: &[u8]) -> Outcome {
    let mut outcome = Outcome::default();
    let mut output = Vec::new();
    let mut writer = Writer::<Careful>::new(&mut output);
    outcome.counts = text::read(input, &mut outcome, &mut writer).unwrap();
    writer.finish().unwrap();
    outcome.output = output;
    outcome
}

/// A listing becomes records that other readers of CSV take for such, and lines that were rejected as they stood.
pub(crate) fn check(listing: &[u8]) {
    let outcome = convert(listing);
    assert_eq!(outcome, convert_with_care(listing));

    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&outcome.output[..]);
    let records: Vec<_> = reader.records().map(|record| record.unwrap()).collect();
    assert_eq!(outcome.counts.ok, records.len() as u64);
    assert!(records.iter().all(|record| record.len() == 7));

    let lines: Vec<_> = listing.split(|&byte| byte == b'\n').collect();
    assert_eq!(outcome.counts.rejected, outcome.rejected.len() as u64);
    assert!(outcome.counts.ok + outcome.counts.rejected <= lines.len() as u64);
    for (number, bytes) in &outcome.rejected {
        assert_eq!(lines[*number as usize - 1], bytes);
    }
    assert!(outcome.rejected.is_sorted_by(|a, b| a.0 < b.0));
}
