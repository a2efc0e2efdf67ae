//! What the tests of conversions share, here and (by `#[path]`) in the converters.

#![allow(dead_code, reason = "no test needs all of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write};
use std::iter::Cycle;
use std::path::Path;
use std::vec::IntoIter;

use records::{Convert, Counts, MAX_LINE, Rejects};

/// What came of an input.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) output: Vec<u8>,
    /// As the conversion counts.
    pub(crate) counts: Counts,
    /// Line number, reason and bytes.
    pub(crate) rejected: Vec<(u64, String, Vec<u8>)>,
    /// What stands before the rejected lines.
    pub(crate) header: Option<Vec<u8>>,
}

impl Outcome {
    pub(crate) fn of(convert: impl Convert, mut input: impl Read) -> Self {
        let mut outcome = Outcome::default();
        let mut output = Vec::new();
        outcome.counts = convert(&mut input, &mut output, &mut outcome).unwrap();
        outcome.output = output;
        assert_eq!(outcome.counts.rejected, outcome.rejected.len() as u64);
        outcome
    }

    /// Numbers and reasons of the rejected lines.
    pub(crate) fn reasons(&self) -> Vec<(u64, &str)> {
        self.rejected.iter().map(|(line, reason, _)| (*line, reason.as_str())).collect()
    }

    /// What a stage puts into `rejected/`.
    pub(crate) fn rejected_file(&self) -> Vec<u8> {
        let lines = self.header.iter().chain(self.rejected.iter().map(|(_, _, bytes)| bytes));
        lines.flat_map(|line| [line, &b"\n"[..]].concat()).collect()
    }

    /// Fails unless what was rejected is lines of the input as they stand there, in their order.
    pub(crate) fn assert_rejected_as_it_stood(&self, input: &[u8]) {
        let lines: Vec<_> = input.split(|&byte| byte == b'\n').collect();
        let mut free = 0;
        for (number, reason, bytes) in &self.rejected {
            assert!(!reason.is_empty());
            let first = usize::try_from(*number).unwrap() - 1;
            assert!(first >= free);
            free = first + bytes.split(|&byte| byte == b'\n').count();
            assert_eq!(&lines[first..free].join(&b'\n'), bytes);
        }
    }
}

impl Rejects for Outcome {
    fn header(&mut self, line: &[u8]) -> io::Result<()> {
        assert!(self.rejected.is_empty());
        assert_eq!(self.header.replace(line.to_vec()), None);
        Ok(())
    }

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

/// Converts every file `*.from` of a directory, and compares what comes of it with what lies beside it: the output in
/// `*.to`, the rejected lines in `*.reasons`. A file that is missing holds nothing.
pub(crate) fn assert_samples(directory: &str, [from, to]: [&str; 2], convert: impl Convert) {
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let mut samples: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == from)).collect();
    assert!(!samples.is_empty());
    samples.sort();
    for sample in samples {
        let outcome = Outcome::of(&convert, &fs::read(&sample).unwrap()[..]);
        let mut reasons = String::new();
        for (line, reason, bytes) in &outcome.rejected {
            writeln!(reasons, "line {line}: {reason}\n    {}", bytes.escape_ascii()).unwrap();
        }
        assert_holds(&sample.with_extension(to), &outcome.output);
        assert_holds(&sample.with_extension("reasons"), reasons.as_bytes());
    }
}

#[track_caller]
fn assert_holds(path: &Path, found: &[u8]) {
    let expected = fs::read(path).unwrap_or_default();
    assert_eq!(found.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{}", path.display());
}

/// Calls `check` with every file of a fuzz target's corpus.
pub(crate) fn assert_corpus(target: &str, check: fn(&[u8])) {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus");
    for file in fs::read_dir(Path::new(corpus).join(target)).unwrap() {
        check(&fs::read(file.unwrap().path()).unwrap());
    }
}

/// Drops what is rejected, but for its measures.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    pub(crate) longest: usize,
    pub(crate) all: u64,
}

impl Rejects for Pieces {
    fn start(&mut self, _: u64, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.all += bytes.len() as u64;
        self.longest = self.longest.max(bytes.len());
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Converts a line of so many bytes, all the same.
pub(crate) fn assert_rejected_in_bounded_memory(convert: impl Convert, byte: u8, length: u64) {
    let mut pieces = Pieces::default();
    let counts = convert(&mut io::repeat(byte).take(length), &mut io::sink(), &mut pieces).unwrap();
    assert_eq!(counts, Counts { ok: 0, rejected: 1 });
    assert_eq!(pieces.all, length);
    assert!(pieces.longest <= 2 * MAX_LINE, "it was held in a piece of {} bytes", pieces.longest);
}

/// Fails unless errors of a conversion's reader, writer and rejects come back as they were. `good` is a line that it
/// converts, `bad` one that it rejects.
pub(crate) fn assert_errors_come_back(convert: impl Convert, good: &[u8], bad: &[u8]) {
    struct Fails;
    const KIND: io::ErrorKind = io::ErrorKind::StorageFull;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(KIND.into())
        }
    }
    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(KIND.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl Rejects for Fails {
        fn start(&mut self, _: u64, _: &str) -> io::Result<()> {
            Err(KIND.into())
        }
        fn piece(&mut self, _: &[u8]) -> io::Result<()> {
            Ok(())
        }
        fn end(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for failed in [
        convert(&mut Fails, &mut io::sink(), &mut ()),
        convert(&mut &good[..], &mut Fails, &mut ()),
        convert(&mut &good.repeat(10_000)[..], &mut Fails, &mut ()),
        convert(&mut &bad[..], &mut io::sink(), &mut Fails),
    ] {
        let error = failed.unwrap_err();
        assert!(error.kind() == KIND && error.get_ref().is_none(), "{error:?}");
    }
}

/// Gives so many bytes at once, by turns.
pub(crate) struct Sips<'a>(&'a [u8], Cycle<IntoIter<usize>>);

impl<'a> Sips<'a> {
    pub(crate) fn new(input: &'a [u8], sizes: Vec<usize>) -> Self {
        Self(input, sizes.into_iter().cycle())
    }
}

impl Read for Sips<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.1.next().unwrap_or(1).min(buffer.len());
        self.0.read(&mut buffer[..most])
    }
}
