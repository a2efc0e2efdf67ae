//! The names in a directory, read in runs and sorted.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::RawDir;
use rustix::io::Errno;

/// A run is at least so many names where the directory has them, and not many more: what bounds memory in a directory of any
/// size. Few directories have more, so that mostly a directory is sorted as a whole. (Tests make do with smaller directories.)
pub(super) const RUN: usize = if cfg!(test) { 1 << 11 } else { 1 << 16 };

/// For one call of getdents; more saves nothing that can be measured.
const BUFFER: usize = 32 << 10;

/// A run of names; used again for one directory after the other.
pub(super) struct Names {
    buffer: Box<[MaybeUninit<u8>]>,
    /// Each name ends in a NUL.
    bytes: Vec<u8>,
    /// Where each name starts, and its length with the NUL.
    spans: Vec<(u32, u32)>,
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// At the directory's end.
    AtEnd,
    /// There may be more: the directory is to be read on.
    Early,
    /// The directory cannot be read on.
    Failed(Errno),
}

impl Names {
    pub(super) fn new() -> Self {
        Self { buffer: Box::new_uninit_slice(BUFFER), bytes: Vec::new(), spans: Vec::new() }
    }

    /// Reads the next run, sorted byte by byte.
    pub(super) fn read(&mut self, directory: &OwnedFd) -> Ended {
        self.bytes.clear();
        self.spans.clear();
        let ended = self.fill(directory);
        let bytes = &self.bytes;
        self.spans.sort_unstable_by(|&one, &other| name(bytes, one).cmp(name(bytes, other)));
        ended
    }

    fn fill(&mut self, directory: &OwnedFd) -> Ended {
        let mut entries = RawDir::new(directory, &mut self.buffer);
        loop {
            // Only between two buffers can another reader go on from here.
            if self.spans.len() >= RUN && entries.is_buffer_empty() {
                return Ended::Early;
            }
            let entry = match entries.next() {
                None => return Ended::AtEnd,
                Some(Err(error)) => return Ended::Failed(error),
                Some(Ok(entry)) => entry,
            };
            let name = entry.file_name().to_bytes_with_nul();
            if !matches!(name, b".\0" | b"..\0") {
                // At most RUN names and one buffer more: far below 4 GiB.
                self.spans.push((self.bytes.len() as u32, name.len() as u32));
                self.bytes.extend_from_slice(name);
            }
        }
    }

    /// The first names, at most so many.
    pub(super) fn iter(&self, most: usize) -> impl ExactSizeIterator<Item = &CStr> {
        self.spans.iter().take(most).map(|&span| as_c_str(name(&self.bytes, span)))
    }

    /// The names after the first `size`, in pieces of so many; in a piece, each ends in a NUL.
    pub(super) fn pieces(&self, size: usize) -> impl Iterator<Item = Vec<u8>> {
        let piece = |spans: &[_]| spans.iter().flat_map(|&span| name(&self.bytes, span)).copied().collect();
        self.spans.chunks(size).skip(1).map(piece)
    }
}

/// The names of a piece.
pub(super) fn in_piece(piece: &[u8]) -> impl Iterator<Item = &CStr> {
    piece.split_inclusive(|&byte| byte == 0).map(as_c_str)
}

fn name(bytes: &[u8], (start, length): (u32, u32)) -> &[u8] {
    &bytes[start as usize..][..length as usize]
}

/// The empty name, which the kernel finds nowhere, where something else than one name is given.
fn as_c_str(name: &[u8]) -> &CStr {
    CStr::from_bytes_with_nul(name).unwrap_or_default()
}
