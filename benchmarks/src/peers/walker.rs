//! The `ignore` crate's parallel walk, each entry looked at and printed as `ls -ld` does, owners as numbers.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ignore::{DirEntry, WalkBuilder, WalkState};

/// So many bytes are written at once.
const BLOCK: usize = 64 << 10;

pub(crate) fn list(root: &Path, output: &Path, threads: usize) -> anyhow::Result<()> {
    let file = Mutex::new(File::create(output)?);
    let walk = WalkBuilder::new(root).standard_filters(false).threads(threads).build_parallel();
    walk.run(|| {
        let mut lines = Lines { waiting: Vec::with_capacity(2 * BLOCK), file: &file };
        Box::new(move |entry| {
            if let Ok(entry) = entry {
                // What is gone meanwhile is left out.
                let _ = lines.push(&entry);
            }
            WalkState::Continue
        })
    });
    file.into_inner().unwrap_or_else(PoisonError::into_inner).sync_all()?;
    Ok(())
}

/// A thread's lines on their way to the file.
struct Lines<'a> {
    waiting: Vec<u8>,
    file: &'a Mutex<File>,
}

impl Lines<'_> {
    fn push(&mut self, entry: &DirEntry) -> io::Result<()> {
        let metadata = entry.metadata().map_err(io::Error::other)?;
        print(&mut self.waiting, entry.path(), &metadata)?;
        if self.waiting.len() > BLOCK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&self.waiting)?;
        self.waiting.clear();
        Ok(())
    }
}

impl Drop for Lines<'_> {
    fn drop(&mut self) {
        // The list then misses lines, which is noticed.
        let _ = self.flush();
    }
}

fn print(to: &mut Vec<u8>, path: &Path, metadata: &Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    let mark = if kind.is_dir() {
        'd'
    } else if kind.is_symlink() {
        'l'
    } else {
        '-'
    };
    let rights: String = (0..9)
        .map(|bit| if metadata.mode() & (0o400 >> bit) == 0 { '-' } else { ['r', 'w', 'x'][bit % 3] })
        .collect();
    write!(
        to,
        "{mark}{rights} {:>4} {:<8} {:<8} {:>9} {} {}",
        metadata.nlink(),
        metadata.uid(),
        metadata.gid(),
        metadata.size(),
        metadata.mtime(),
        path.display()
    )?;
    if kind.is_symlink() {
        write!(to, " -> {}", fs::read_link(path)?.display())?;
    }
    to.push(b'\n');
    Ok(())
}
