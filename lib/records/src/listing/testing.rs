//! What the tests of the readers share.

use std::io;

use super::{Entry, FIELDS, Format, Writer};
use crate::{Counts, Rejects};

/// Fields and entries as they came, with separators that no test has in a field. No line is ordinary.
pub(super) struct Fields;

impl Format for Fields {
    const SLACK: usize = 0;

    fn write(entry: &Entry<'_>, output: &mut Vec<u8>) {
        output.extend_from_slice(entry.fields().join("\u{1f}").as_bytes());
        output.push(0x1e);
    }

    fn write_line(_: &[u8], _: &mut [u8]) -> Option<usize> {
        None
    }
}

/// What came of an input.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) entries: Vec<[String; FIELDS]>,
    /// Line number, reason and bytes.
    pub(super) rejected: Vec<(u64, String, Vec<u8>)>,
}

type Reader<'a> = fn(&'a [u8], &mut dyn Rejects, &mut Writer<'_, Fields>) -> io::Result<Counts>;

impl Outcome {
    pub(super) fn of<'a>(read: Reader<'a>, input: &'a [u8]) -> Self {
        let mut output = Vec::new();
        let mut outcome = Outcome::default();
        let mut writer = Writer::new(&mut output);
        let counts = read(input, &mut outcome, &mut writer).unwrap();
        writer.finish().unwrap();
        let output = String::from_utf8(output).unwrap();
        for entry in output.split_terminator('\u{1e}') {
            let fields: Vec<_> = entry.split('\u{1f}').map(str::to_owned).collect();
            outcome.entries.push(fields.try_into().unwrap());
        }
        assert_eq!(counts.ok, outcome.entries.len() as u64);
        assert_eq!(counts.rejected, outcome.rejected.len() as u64);
        outcome
    }

    pub(super) fn paths(&self) -> Vec<&str> {
        self.entries.iter().map(|fields| fields[FIELDS - 1].as_str()).collect()
    }

    /// Numbers and reasons of the rejected lines.
    pub(super) fn reasons(&self) -> Vec<(u64, &str)> {
        self.rejected.iter().map(|(line, reason, _)| (*line, reason.as_str())).collect()
    }
}

impl Rejects for Outcome {
    fn start(&mut self, line: u64, reason: &str) -> io::Result<()> {
        self.rejected.push((line, reason.to_owned(), Vec::new()));
        Ok(())
    }

    fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.rejected.last_mut().unwrap().2.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}
