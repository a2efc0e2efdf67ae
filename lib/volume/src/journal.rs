//! A stage's own record of how far it has come within a batch, kept from owner to owner.
//!
//! A journal is a file `journal.<generation>.<number>` in the claim, of which the greatest counts. It
//! appears whole, and is then only appended to, by the owner that made it. Its first line is the key
//! of the content that it tells of; what follows is the stage's affair. The end of what was appended
//! last may be missing or torn after a power cut.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use crate::claim::{Claim, JOURNAL};
use crate::error::{Context, Error};
use crate::fs::{self, NewFile};
use crate::publish;

/// What gives a new journal its content.
pub(crate) type Write<'a> = &'a mut dyn FnMut(&mut dyn io::Write) -> io::Result<()>;

/// A journal open for appending.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: NewFile,
}

impl Journal {
    /// Appends, durably once it returns.
    ///
    /// # Errors
    /// What was appended may be lost, and the journal can't be trusted with more: make a new one.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).act("write", &self.path)?;
        self.file.sync_data().act("sync", &self.path)
    }
}

/// Generation and number, in this order the greater counts.
type Place = (u32, u32);

fn place(file: &str) -> Option<Place> {
    let (generation, number) = file.strip_prefix(JOURNAL)?.strip_prefix('.')?.split_once('.')?;
    Some((generation.parse().ok()?, number.parse().ok()?))
}

fn all(claim: &Claim) -> Result<Vec<(Place, String)>, Error> {
    let mut journals: Vec<_> =
        claim.files()?.into_iter().filter_map(|file| Some((place(&file)?, file))).collect();
    journals.sort_unstable();
    Ok(journals)
}

/// Opens the newest journal for reading, behind its first line; `None` where it tells of another content.
pub(crate) fn newest(claim: &Claim, key: &str) -> Result<Option<File>, Error> {
    let Some((_, file)) = all(claim)?.pop() else { return Ok(None) };
    let path = claim.path(&file);
    let mut file = claim.fenced(fs::open(&path).act("open", &path))?;
    let mut first = vec![0; key.len() + 1];
    match file.read_exact(&mut first) {
        Ok(()) => Ok((first == header(key)).then_some(file)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error).act("read", &path),
    }
}

fn header(key: &str) -> Vec<u8> {
    format!("{key}\n").into_bytes()
}

/// Makes a journal with the content that `write` gives it, and removes those before it.
pub(crate) fn create(claim: &Claim, key: &str, write: Write<'_>) -> Result<Journal, Error> {
    let older = all(claim)?;
    let own = older.iter().filter(|((generation, _), _)| *generation == claim.name.generation);
    let number = own.map(|((_, number), _)| number + 1).max().unwrap_or(0);
    let name = format!("{JOURNAL}.{}.{number}", claim.name.generation);
    let (path, unfinished) = (claim.path(&name), claim.path(&format!("{name}.new")));
    let made = make(claim, key, write, &unfinished, &path);
    if made.is_err() {
        // A leftover would be in the way of the next attempt; it may also be gone with the claim.
        let _ = fs::unlink(&unfinished);
    }
    let file = claim.fenced(made)?;
    for (_, file) in older {
        claim.unlink(&file)?;
    }
    Ok(Journal { path, file })
}

fn make(
    claim: &Claim,
    key: &str,
    write: Write<'_>,
    unfinished: &Path,
    path: &Path,
) -> Result<NewFile, Error> {
    let mut file = NewFile::create(unfinished).act("create", unfinished)?;
    file.write_all(&header(key)).act("write", unfinished)?;
    write(&mut file).act("write", unfinished)?;
    file.sync().act("sync", unfinished)?;
    publish::rename(unfinished, path).act("rename", unfinished)?;
    claim.sync()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_finished_journals_have_a_place() {
        assert_eq!(place("journal.3.12"), Some((3, 12)));
        for other in ["journal", "journal.3", "journal.3.12.new", "journal.x.1", "output.1"] {
            assert_eq!(place(other), None, "{other}");
        }
    }
}
