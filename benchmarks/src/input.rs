//! A listing as busybox prints it, of any length and always the same; and what must become of it, by csv and `serde_json`.
//!
//! Lines are of 160 bytes, each a little different. Of 1,000 names 4 are awkward: blanks, quotes, commas, backslashes,
//! letters beyond ASCII.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use csv::QuoteStyle;
use fastrand::Rng;
use serde::Serialize;

const AWKWARD: [&str; 6] = [" with blanks", "\"quoted\"", ", comma", "\\\\back", "ü-umlaut", "'apos"];

/// An entry as csv-to-json names its fields.
#[derive(Debug, Serialize)]
pub(crate) struct Entry<'a> {
    #[serde(rename = "mod")]
    pub(crate) mode: &'a str,
    #[serde(rename = "no")]
    pub(crate) links: &'a str,
    pub(crate) user: &'a str,
    pub(crate) group: &'a str,
    #[serde(rename = "usrno")]
    pub(crate) size: &'a str,
    pub(crate) date: &'a str,
    #[serde(rename = "file")]
    pub(crate) path: &'a str,
}

/// Calls `each` with the entries of a listing of so many lines, in their order.
///
/// # Errors
/// Those of `each`.
pub(crate) fn entries(
    lines: u64,
    mut each: impl FnMut(&Entry<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut random = Rng::with_seed(1);
    for line in 0..lines {
        let directory = line % 500;
        let mode = ["-rw-r--r--", "drwxr-xr-x", "-rwxr-xr-x", "lrwxrwxrwx"][pick(line, 4)];
        let month = ["Jan", "Feb", "Mar", "Oct"][random.usize(..4)];
        let mut path = format!(
            "/usr/share/doc/package-{directory}/examples/of-something/directories/{}/file-number-{line:08}-with-a-name.txt",
            directory * 7
        );
        if line % 250 == 0 {
            path.push_str(AWKWARD[pick(line / 250, 6)]);
        }
        if mode.starts_with('l') {
            path.push_str(&format!(" -> ../target-{line}"));
        }
        each(&Entry {
            mode,
            links: &(1 + line % 9).to_string(),
            user: "root",
            group: "root",
            size: &random.u32(..1_000_000).to_string(),
            date: &format!("{month} {:2} {:02}:{:02}", 1 + line % 28, line % 24, line % 60),
            path: &path,
        })?;
    }
    Ok(())
}

/// Which of so many.
fn pick(line: u64, of: u64) -> usize {
    usize::try_from(line % of).unwrap_or_default()
}

impl Entry<'_> {
    /// Writes the line that busybox prints.
    pub(crate) fn write_line(&self, to: &mut impl Write) -> io::Result<()> {
        let Entry { mode, links, user, group, size, date, path } = self;
        writeln!(to, "{mode} {links:>4} {user:<8} {group:<8} {size:>9} {date} {path}")
    }

    fn fields(&self) -> [&str; 7] {
        [self.mode, self.links, self.user, self.group, self.size, self.date, self.path]
    }
}

/// Writes the listing, and beside it what must become of it; each at the path given for it.
///
/// # Errors
/// Names the path.
pub(crate) fn write(lines: u64, text: &Path, csv: Option<&Path>, json: Option<&Path>) -> anyhow::Result<()> {
    let create = |path: &Path| {
        let file = File::create(path).with_context(|| format!("failed to create `{}`", path.display()))?;
        anyhow::Ok(BufWriter::with_capacity(1 << 18, file))
    };
    let mut text_file = create(text)?;
    let quoted = |file| csv::WriterBuilder::new().quote_style(QuoteStyle::Necessary).from_writer(file);
    let mut csv_file = csv.map(create).transpose()?.map(quoted);
    let mut json_file = json.map(create).transpose()?;
    entries(lines, |entry| {
        entry.write_line(&mut text_file)?;
        if let Some(file) = &mut csv_file {
            file.write_record(entry.fields())?;
        }
        if let Some(file) = &mut json_file {
            serde_json::to_writer(&mut *file, entry)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    })?;
    text_file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    if let Some(file) = csv_file {
        let file = file.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    }
    if let Some(file) = json_file {
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_long_as_those_of_a_listing_and_some_are_awkward() {
        let mut text = Vec::new();
        entries(100_000, |entry| Ok(entry.write_line(&mut text)?)).unwrap();
        assert!((150..170).contains(&(text.len() / 100_000)));
        let text = String::from_utf8(text).unwrap();
        let quoted = text.lines().filter(|line| line.contains(['"', ','])).count();
        assert!((100..200).contains(&quoted), "{quoted}");
        assert!(text.starts_with("-rw-r--r--    1 root     root     "));
    }
}
