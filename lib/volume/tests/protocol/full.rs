//! On a volume that is full.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use volume::{Batch, Error, Volume};

use crate::support::*;

const MIB: u64 = 1 << 20;

/// A file system of a few megabytes.
struct Tiny(TempDir);

impl Tiny {
    /// `None`, with a message, where this machine may not mount it; in CI that is an error.
    fn new() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let options = ["-t", "tmpfs", "-o", "size=4m", "tmpfs"];
        let mounted = Command::new("mount").args(options).arg(directory.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Tiny(directory));
        }
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "a tmpfs cannot be mounted");
        eprintln!("skipped: a tmpfs cannot be mounted here");
        None
    }

    fn begin(&self) -> Batch {
        let volume = Volume::open(self.0.path()).unwrap();
        fs::write(self.0.path().join("listing.txt"), "x\n").unwrap();
        take_ready(&mut scanner_on(&volume, Duration::ZERO)).begin().unwrap()
    }

    /// Uses up all that is left.
    fn fill(&self) {
        let mut file = fs::File::create(self.0.path().join("filler")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    fn drain(&self) {
        fs::remove_file(self.0.path().join("filler")).unwrap();
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "the mount can be removed");
    }
}

fn is_full(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == ErrorKind::StorageFull)
}

fn is_below(path: &Path, error: &Error) -> bool {
    error.to_string().contains(&path.display().to_string())
}

#[test]
fn a_journal_has_its_room_before_anything_is_sent_or_is_refused() {
    let Some(tiny) = Tiny::new() else { return };
    let mut batch = tiny.begin();
    let refused = batch.create_journal(&mut |_| Ok(()), 8 * MIB).unwrap_err();
    assert!(is_full(&refused) && is_below(tiny.0.path(), &refused), "{refused}");
    // It left nothing that takes room.
    let mut journal = batch.create_journal(&mut |file| file.write_all(b"known "), MIB).unwrap();
    tiny.fill();
    for _ in 0..MIB / 1024 {
        journal.append(&[b'x'; 1024]).unwrap();
    }
    assert!(is_full(&journal.reserve(MIB).unwrap_err()));
    assert!(is_full(&journal.append(&vec![b'x'; MIB as usize]).unwrap_err()));
    tiny.drain();
    journal.reserve(MIB).unwrap();
}

#[test]
fn what_a_failed_conversion_wrote_makes_room_for_the_stages_behind() {
    let Some(tiny) = Tiny::new() else { return };
    let mut batch = tiny.begin();
    let mut wrote = Ok(());
    while wrote.is_ok() {
        wrote = batch.output.write_all(&[b'x'; 65_536]);
    }
    assert!(is_full(&Error::unwrap_io(wrote.unwrap_err()).unwrap()));
    batch.discard().unwrap();
    fs::write(tiny.0.path().join("listing-behind.csv"), vec![b'x'; 3 * MIB as usize]).unwrap();
}

#[test]
fn what_a_failed_commit_leaves_makes_room_for_the_stages_behind() {
    let Some(tiny) = Tiny::new() else { return };
    let mut batch = tiny.begin();
    batch.output.write_all(&vec![b'x'; 3 * MIB as usize]).unwrap();
    // Buffered until the commit.
    batch.rejected.start(1, "bad").unwrap();
    batch.rejected.piece(b"bad").unwrap();
    tiny.fill();
    assert!(is_full(&batch.commit().unwrap_err()));
    fs::write(tiny.0.path().join("listing-behind.csv"), vec![b'x'; 3 * MIB as usize]).unwrap();
}
