//! A stage's own record of how far it has come within a batch, kept from owner to owner.
//!
//! A journal is a file `journal.<generation>.<number>` in the claim, of which the greatest counts. It
//! appears whole, and is then only appended to, by the owner that made it. Its first line is the key
//! of the content that it tells of; what follows is the stage's affair. The end of what was appended
//! last may be missing or torn after a power cut, and behind the end there may be zeros: room is reserved
//! ahead, since what is sent and cannot be recorded is sent again.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::PathBuf;

use crate::claim::Claim;
use crate::claim_directory::{ClaimDirectory, JOURNAL, UNFINISHED};
use crate::error::{Context, Error};
use crate::fs::{self, NewFile};
use crate::publish;

/// What gives a new journal its content.
pub(crate) type Write<'a> = &'a mut dyn FnMut(&mut dyn io::Write) -> io::Result<()>;

/// A journal open for appending.
#[derive(Debug)]
pub struct Journal {
    directory: ClaimDirectory,
    name: String,
    /// The journals before this one, which count until it is durable.
    older: Vec<String>,
    is_durable: bool,
    file: NewFile,
    /// So many bytes have room, in all.
    room: u64,
}

impl Journal {
    /// Appends, durably once it returns. The first time this makes all of the journal durable, and it counts instead of
    /// those before it.
    ///
    /// # Errors
    /// What was appended may be lost, and the journal can't be trusted with more: make a new one.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path();
        self.directory.fenced(self.file.write_all(bytes).act("write", &path))?;
        if self.is_durable {
            return self.directory.fenced(self.file.sync_data().act("sync", &path));
        }
        self.directory.fenced(self.file.sync().act("sync", &path))?;
        let (unfinished, path) = (path, self.directory.join(&self.name));
        self.directory.fenced(publish::rename(&unfinished, &path).act("rename", &unfinished))?;
        self.is_durable = true;
        self.directory.sync()?;
        std::mem::take(&mut self.older).iter().try_for_each(|file| self.directory.unlink(file))
    }

    /// Makes sure that there is room for so many bytes more.
    ///
    /// # Errors
    /// There is not, or the volume failed. What the journal holds is as it was.
    pub fn reserve(&mut self, bytes: u64) -> Result<(), Error> {
        let written = self.file.written().act("look at", &self.path())?;
        let (has, needs) = (self.room.max(written), written.saturating_add(bytes));
        if needs > has {
            self.directory.fenced(self.file.reserve(has..needs).act("reserve room in", &self.path()))?;
            self.room = needs;
        }
        Ok(())
    }

    fn path(&self) -> PathBuf {
        let end = if self.is_durable { "" } else { UNFINISHED };
        self.directory.join(&format!("{}{end}", self.name))
    }
}

/// A journal open for reading, behind its first line. Its errors are the volume's, see [`Error::unwrap_io`].
#[derive(Debug)]
pub struct JournalReader {
    path: PathBuf,
    file: File,
}

impl Read for JournalReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.file.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            done => done.act("read", &self.path).map_err(Error::into_io),
        }
    }
}

/// Generation and number, in this order the greater counts.
type Place = (u32, u32);

fn place(file: &str) -> Option<Place> {
    let (generation, number) = file.strip_prefix(JOURNAL)?.strip_prefix('.')?.split_once('.')?;
    Some((generation.parse().ok()?, number.parse().ok()?))
}

/// The journals that count, from the oldest to the newest.
fn all(claim: &Claim) -> Result<Vec<(Place, String)>, Error> {
    let mut journals: Vec<_> =
        claim.directory.files()?.into_iter().filter_map(|file| Some((place(&file)?, file))).collect();
    journals.sort_unstable();
    Ok(journals)
}

/// Opens the newest journal of this content for reading, behind its first line.
pub(crate) fn newest(claim: &Claim, key: &str) -> Result<Option<JournalReader>, Error> {
    // Where the newest is damaged at its start, one before it may still be there.
    for (_, file) in all(claim)?.iter().rev() {
        let path = claim.directory.join(file);
        let mut file = claim.directory.fenced(fs::open(&path).act("open", &path))?;
        let mut first = vec![0; key.len() + 1];
        match file.read_exact(&mut first) {
            Ok(()) if first == header(key) => return Ok(Some(JournalReader { path, file })),
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                return Err(error).act("read", &path);
            }
            _ => {}
        }
    }
    Ok(None)
}

fn header(key: &str) -> Vec<u8> {
    format!("{key}\n").into_bytes()
}

/// Makes a journal with the content that `write` gives it, and room for so many bytes more.
pub(crate) fn create(claim: &Claim, key: &str, write: Write<'_>, room: u64) -> Result<Journal, Error> {
    // They never counted, and take room.
    for file in claim.directory.files()?.iter().filter(|file| is_unfinished(file)) {
        claim.directory.unlink(file)?;
    }
    let older = all(claim)?;
    let own = older.iter().filter(|((generation, _), _)| *generation == claim.name.generation);
    let number = own.map(|((_, number), _)| number + 1).max().unwrap_or(0);
    let name = format!("{JOURNAL}.{}.{number}", claim.name.generation);
    let unfinished = format!("{name}{UNFINISHED}");
    let path = claim.directory.join(&unfinished);
    let mut file = claim.directory.fenced(NewFile::create(&path).act("create", &path))?;
    let filled = file.write_all(&header(key)).and_then(|()| write(&mut file)).act("write", &path);
    let (directory, older) = (claim.directory.clone(), older.into_iter().map(|(_, file)| file).collect());
    let mut journal = Journal { directory, name, older, is_durable: false, file, room: 0 };
    let made = claim.directory.fenced(filled).and_then(|()| journal.reserve(room));
    if made.is_err() {
        // It would take room; it may also be gone with the claim.
        let _ = claim.directory.unlink(&unfinished);
    }
    made.map(|()| journal)
}

fn is_unfinished(file: &str) -> bool {
    file.strip_suffix(UNFINISHED).is_some_and(|name| place(name).is_some())
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
