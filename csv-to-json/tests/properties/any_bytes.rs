//! What holds for any bytes as CSV: for the properties here, and for the fuzz target `csv`.

use std::io::{self, Read};

use records::listing::{Entry, Format, Writer, csv, json};
use records::{Counts, Rejects};
use serde_json::{Map, Value};

/// The members of a document, in their order.
pub(crate) const NAMES: [&str; 7] = ["mod", "no", "user", "group", "usrno", "date", "file"];

/// What came of an input.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    /// Documents.
    pub(crate) output: String,
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
    outcome.counts = csv_to_json::convert(&mut input, &mut output, &mut outcome).unwrap();
    outcome.output = String::from_utf8(output).unwrap();
    outcome
}

/// As the stage writes, but without its short way: each line is read with care.
struct Careful;

impl Format for Careful {
    const SLACK: usize = 0;

    fn write(entry: &Entry<'_>, output: &mut Vec<u8>) {
        json::write(entry, output);
    }

    fn write_line(_: &[u8], _: &mut [u8]) -> Option<usize> {
        None
    }
}

fn convert_with_care(input: &[u8]) -> Outcome {
    let mut outcome = Outcome::default();
    let mut output = Vec::new();
    let mut writer = Writer::<Careful>::new(&mut output);
    outcome.counts = csv::read(input, &mut outcome, &mut writer).unwrap();
    writer.finish().unwrap();
    outcome.output = String::from_utf8(output).unwrap();
    outcome
}

/// CSV becomes documents of seven strings each, and lines that were rejected as they stood, in their order.
pub(crate) fn check(file: &[u8]) {
    let outcome = convert(file);
    assert_eq!(outcome, convert_with_care(file));

    assert_eq!(outcome.counts.ok, outcome.output.lines().count() as u64);
    for document in outcome.output.lines() {
        let members: Map<String, Value> = serde_json::from_str(document).unwrap();
        assert!(members.len() == 7 && NAMES.iter().all(|name| members[*name].is_string()));
    }

    assert_eq!(outcome.counts.rejected, outcome.rejected.len() as u64);
    let lines: Vec<_> = file.split(|&byte| byte == b'\n').collect();
    let mut free = 0;
    for (number, bytes) in &outcome.rejected {
        let first = *number as usize - 1;
        assert!(first >= free);
        free = first + bytes.split(|&byte| byte == b'\n').count();
        assert_eq!(&lines[first..free].join(&b'\n'), bytes);
    }
}
