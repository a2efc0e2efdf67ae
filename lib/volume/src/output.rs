//! Files in the making.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::error::{Context, Error};
use crate::fs::NewFile;
use crate::note;

/// So many bytes are synced at once at most: the last sync of a large file would else take longer than a probe waits.
pub(crate) const SYNC_EVERY: u64 = 64 << 20;

/// A file of a batch's, unbuffered; it is made with the first write.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    file: Option<NewFile>,
    written: u64,
    unsynced: u64,
}

impl Output {
    pub(crate) fn new(path: PathBuf) -> Self {
        Output { path, file: None, written: 0, unsynced: 0 }
    }

    /// How many bytes were written.
    pub fn written(&self) -> u64 {
        self.written
    }

    #[cfg(test)]
    pub(crate) fn unsynced(&self) -> u64 {
        self.unsynced
    }

    fn file(&mut self) -> Result<&mut NewFile, Error> {
        if self.file.is_none() {
            self.file = Some(NewFile::create(&self.path).act("create", &self.path)?);
        }
        Ok(self.file.as_mut().expect("it was just made"))
    }

    /// Notes something for whoever has the file next, as [`Batch::note`](crate::Batch::note) tells him.
    ///
    /// # Errors
    /// The volume keeps no notes.
    pub fn note(&mut self, text: &str) -> Result<(), Error> {
        let file = self.file()?;
        note::write(file.as_file(), text).act("note something of", &self.path)
    }

    /// Makes the file durable; returns its path.
    pub(crate) fn sync(mut self) -> Result<PathBuf, Error> {
        self.file()?.sync().act("sync", &self.path)?;
        Ok(self.path)
    }

    /// Marks the file as complete and makes it durable.
    pub(crate) fn finish(mut self) -> Result<PathBuf, Error> {
        self.file()?.mark_complete().act("mark as complete", &self.path)?;
        self.sync()
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file()?.write_all(bytes).act("write", &self.path)?;
        self.written += bytes.len() as u64;
        self.unsynced += bytes.len() as u64;
        if self.unsynced >= SYNC_EVERY {
            self.unsynced = 0;
            self.file()?.sync_data().act("sync", &self.path)?;
        }
        Ok(())
    }
}

impl Write for Output {
    /// Its errors are the volume's, wrapped: see [`Error::unwrap_io`].
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes).map_err(Error::into_io)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
