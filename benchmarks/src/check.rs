//! Whether outputs are what they must be.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value;

/// How two lines are compared that are not the same bytes.
type Same = fn(&[u8], &[u8]) -> bool;

/// Whether an output is what was expected, byte for byte.
///
/// # Errors
/// It is not; names the first line that differs.
pub(crate) fn equal(expected: &Path, found: &Path) -> anyhow::Result<()> {
    let mut line = 0;
    let mut differs = None;
    let count = lines(expected, found, |one, other| {
        line += 1;
        if one != other && differs.is_none() {
            differs = Some(line);
        }
    })?;
    match differs {
        Some(line) => bail!("`{}` is wrong: line {line} of {count} is the first", found.display()),
        None => Ok(()),
    }
}

/// How many lines of an output say something else than was expected; lines that miss or are too many count.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn wrong_lines(expected: &Path, found: &Path, same: Same) -> anyhow::Result<u64> {
    let mut wrong = 0;
    lines(expected, found, |one, other| wrong += u64::from(one != other && !same(one, other)))?;
    Ok(wrong)
}

/// Calls `each` with the lines of both, and returns how many there are; one that has ended gives empty ones.
fn lines(expected: &Path, found: &Path, mut each: impl FnMut(&[u8], &[u8])) -> anyhow::Result<u64> {
    let open = |path: &Path| {
        let file = File::open(path).with_context(|| format!("failed to open `{}`", path.display()))?;
        anyhow::Ok(BufReader::with_capacity(1 << 18, file))
    };
    let (mut files, mut both) = ([open(expected)?, open(found)?], [Vec::new(), Vec::new()]);
    let mut count = 0;
    loop {
        for (file, line) in files.iter_mut().zip(&mut both) {
            line.clear();
            file.read_until(b'\n', line)?;
        }
        if both.iter().all(Vec::is_empty) {
            return Ok(count);
        }
        count += 1;
        each(&both[0], &both[1]);
    }
}

/// Whether two lines are the same CSV record, however they are quoted.
pub(crate) fn same_record(one: &[u8], other: &[u8]) -> bool {
    let read = |line: &[u8]| {
        let mut records =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line).into_byte_records();
        let first = records.next().and_then(Result::ok);
        first.filter(|_| records.next().is_none())
    };
    matches!((read(one), read(other)), (Some(one), Some(other)) if one == other)
}

/// Whether two lines are the same JSON document, however it is escaped.
pub(crate) fn same_document(one: &[u8], other: &[u8]) -> bool {
    let read = |line: &[u8]| serde_json::from_slice::<Value>(line).ok();
    matches!((read(one), read(other)), (Some(one), Some(other)) if one == other)
}

/// How many blocks json-to-api has printed to a file.
///
/// # Errors
/// It cannot be read.
pub(crate) fn blocks(path: &Path) -> anyhow::Result<u64> {
    let file = File::open(path).with_context(|| format!("failed to open `{}`", path.display()))?;
    let (mut file, mut line, mut count) = (BufReader::with_capacity(1 << 18, file), Vec::new(), 0);
    while file.read_until(b'\n', &mut line)? > 0 {
        count += u64::from(line.starts_with(b"Post doc to api: "));
        line.clear();
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(expected: &str, found: &str, same: Same) -> (u64, bool) {
        let directory = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| directory.path().join(name));
        std::fs::write(&one, expected).unwrap();
        std::fs::write(&other, found).unwrap();
        (wrong_lines(&one, &other, same).unwrap(), equal(&one, &other).is_ok())
    }

    #[test]
    fn records_are_compared_by_what_they_say() {
        assert_eq!(wrong("a,b\n", "a,b\n", same_record), (0, true));
        assert_eq!(wrong("a,b\n", "\"a\",\"b\"\n", same_record), (0, false));
        assert_eq!(wrong("a,\"b,c\"\n", "a,b,c\n", same_record), (1, false));
        assert_eq!(wrong("{\"a\":\"/\"}\n", "{\"a\":\"\\/\"}\n", same_document), (0, false));
        assert_eq!(wrong("{\"a\":\"/\"}\n", "{\"a\":\n", same_document), (1, false));
    }

    #[test]
    fn blocks_are_counted_by_their_documents() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "---\n\nPost doc to api: {}\n{\"a\":\"Post doc to api: \"}\n\n").unwrap();
        assert_eq!(blocks(file.path()).unwrap(), 1);
    }

    #[test]
    fn lines_that_miss_or_are_too_many_are_wrong() {
        assert_eq!(wrong("a\nb\nc\n", "a\n", same_record), (2, false));
        assert_eq!(wrong("a\n", "a\nb\n", same_record), (1, false));
    }
}
