//! A file's content, and what a power cut makes of what was not synced.

use std::fs::{File, FileTimes, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::SystemTime;

use super::survival::Survival;

/// What is lost or garbled at once. Files are small here, and so are their blocks.
const BLOCK: usize = 8;

/// What a file holds, and what is kept beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) mode: u32,
    pub(super) modified: SystemTime,
}

impl Content {
    /// Reads it from an open file.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let mut bytes = vec![0; usize::try_from(metadata.len()).unwrap_or_default()];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(Content { bytes, mode: metadata.mode() & 0o777, modified: metadata.modified()? })
    }

    /// A file that someone else wrote just now.
    pub(super) fn new(text: &str) -> Self {
        Content { bytes: text.as_bytes().to_vec(), mode: 0o644, modified: SystemTime::now() }
    }

    /// Writes it to a new file.
    pub(super) fn lay_out(&self, path: &Path) -> io::Result<()> {
        let file = File::create_new(path)?;
        file.write_all_at(&self.bytes, 0)?;
        file.set_times(FileTimes::new().set_modified(self.modified))?;
        file.set_permissions(Permissions::from_mode(self.mode))
    }

    /// What a power cut leaves of `self`, of which `synced` is durable.
    pub(super) fn cut(&self, synced: &Content, survival: &mut Survival) -> Content {
        if self == synced {
            return synced.clone();
        }
        let kept = survival.keeps();
        match (kept, survival.tears()) {
            (true, _) => self.clone(),
            // The size is kept and the bytes are not: so file systems do that allocate late.
            (false, false) => Content { bytes: self.with_holes(synced), ..self.clone() },
            (false, true) => self.torn(synced, survival),
        }
    }

    fn with_holes(&self, synced: &Content) -> Vec<u8> {
        let mut bytes = synced.bytes.clone();
        bytes.resize(self.bytes.len(), 0);
        bytes
    }

    /// Any size in between, and each block as it was written, as it was before, or garbage where the two differ; mode and
    /// time are kept or not.
    fn torn(&self, synced: &Content, survival: &mut Survival) -> Content {
        let (least, most) = (synced.bytes.len(), self.bytes.len());
        let length = match survival.rng.u8(..3) {
            0 => least,
            1 => most,
            _ => survival.rng.usize(least..=most),
        };
        let before = self.with_holes(synced);
        let mut bytes = self.bytes[..length].to_vec();
        for (block, before) in bytes.chunks_mut(BLOCK).zip(before.chunks(BLOCK)) {
            match survival.rng.u8(..3) {
                0 => {}
                1 => block.copy_from_slice(&before[..block.len()]),
                _ => {
                    let differ = block.iter_mut().zip(before).filter(|(byte, before)| *byte != *before);
                    differ.for_each(|(byte, _)| *byte = survival.rng.u8(..));
                }
            }
        }
        let mode = if survival.rng.bool() { self.mode } else { synced.mode };
        let modified = if survival.rng.bool() { self.modified } else { synced.modified };
        Content { bytes, mode, modified }
    }
}
