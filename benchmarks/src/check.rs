//! Whether outputs are what they must be, as the system's own tools see it.

use std::path::Path;

use anyhow::Context;

use crate::measure::{Cores, output, run};
use crate::place::system;

/// Checks that an output is what was expected, byte for byte.
///
/// # Errors
/// It is not.
pub(crate) fn equal(expected: &Path, found: &Path) -> anyhow::Result<()> {
    let mut command = system("cmp");
    command.args([expected, found]);
    run(Cores::Both, &mut [command]).map(drop)
}

/// How many lines of a file match a pattern of grep's.
///
/// # Errors
/// None does, or the file cannot be read.
pub(crate) fn lines(pattern: &str, path: &Path) -> anyhow::Result<u64> {
    let mut command = system("grep");
    command.args(["-c", "-a", pattern]).arg(path).env("LC_ALL", "C");
    output(Cores::Both, command)?.trim().parse().context("grep gave no number")
}

/// How many blocks json-to-api has printed to a file.
///
/// # Errors
/// As of [`lines`].
pub(crate) fn blocks(path: &Path) -> anyhow::Result<u64> {
    lines("^Post doc to api: ", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_compared_and_blocks_counted_by_their_documents() {
        let directory = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| directory.path().join(name));
        std::fs::write(&one, "---\n\nPost doc to api: {}\n{\"a\":\"Post doc to api: \"}\n\n").unwrap();
        std::fs::write(&other, "Post doc to api: {}\n").unwrap();
        assert_eq!(blocks(&one).unwrap(), 1);
        assert!(equal(&one, &one).is_ok() && equal(&one, &other).is_err());
    }
}
