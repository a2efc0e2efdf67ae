//! Whether outputs are what they must be.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, ensure};

/// Whether an output is what was expected, byte for byte.
///
/// # Errors
/// It is not; names the first line that differs.
pub(crate) fn equal(expected: &Path, found: &Path) -> anyhow::Result<()> {
    let open = |path: &Path| {
        let file = File::open(path).with_context(|| format!("failed to open `{}`", path.display()))?;
        anyhow::Ok(BufReader::with_capacity(1 << 18, file))
    };
    let (mut files, mut both) = ([open(expected)?, open(found)?], [Vec::new(), Vec::new()]);
    for line in 1.. {
        for (file, line) in files.iter_mut().zip(&mut both) {
            line.clear();
            file.read_until(b'\n', line)?;
        }
        ensure!(both[0] == both[1], "`{}` is wrong: line {line} is the first", found.display());
        if both[0].is_empty() {
            break;
        }
    }
    Ok(())
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

    #[test]
    fn the_first_line_that_differs_misses_or_is_too_much_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| directory.path().join(name));
        std::fs::write(&one, "a\nb\n").unwrap();
        for (found, line) in [("a\nb\n", None), ("a\n", Some(2)), ("a\nb\nc\n", Some(3)), ("b\nb\n", Some(1))]
        {
            std::fs::write(&other, found).unwrap();
            let said = equal(&one, &other).err().map(|error| error.to_string());
            assert_eq!(said.is_some(), line.is_some(), "{found}");
            assert!(said.is_none_or(|said| said.contains(&format!("line {}", line.unwrap()))));
        }
    }

    #[test]
    fn blocks_are_counted_by_their_documents() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "---\n\nPost doc to api: {}\n{\"a\":\"Post doc to api: \"}\n\n").unwrap();
        assert_eq!(blocks(file.path()).unwrap(), 1);
    }
}
