//! CSV of ours and of others, one case a file in `test_data/`: the `.json` beside a `.csv` holds what comes of it, the
//! `.reasons` the lines rejected, with their numbers and why.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use records::Rejects;

/// Rejected lines, each after its number and reason.
#[derive(Default)]
struct Reasons(String);

impl Rejects for Reasons {
    fn start(&mut self, line: u64, reason: &str) -> io::Result<()> {
        writeln!(self.0, "line {line}: {reason}").map_err(io::Error::other)
    }

    fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        writeln!(self.0, "    {}", bytes.escape_ascii()).map_err(io::Error::other)
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn samples() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("test_data");
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let mut samples: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "csv")).collect();
    samples.sort();
    samples
}

#[test]
fn every_sample_becomes_what_lies_beside_it() {
    let samples = samples();
    assert!(!samples.is_empty());
    for sample in samples {
        let mut output = Vec::new();
        let mut reasons = Reasons::default();
        let input = fs::read(&sample).unwrap();
        csv_to_json::convert(&mut &input[..], &mut output, &mut reasons).unwrap();
        assert_holds(&sample.with_extension("json"), &output);
        assert_holds(&sample.with_extension("reasons"), reasons.0.as_bytes());
    }
}

/// A file that is missing holds nothing.
#[track_caller]
fn assert_holds(path: &Path, found: &[u8]) {
    let expected = fs::read(path).unwrap_or_default();
    assert_eq!(found.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{}", path.display());
}
