//! On a file system that passes everything on to another, through FUSE: so do those that are shared look like.
//!
//! There this kernel grants leases on files that others write, and renaming without replacing fails where the name is
//! free.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use volume::{Fallback, Next, Taken, Volume};

use crate::support::*;

const SETTLE: Duration = Duration::from_secs(5);

/// A mount of `below` at `above`.
struct Mount {
    below: TempDir,
    above: TempDir,
}

impl Mount {
    /// `None`, with a message, where this machine cannot mount it; in CI that is an error.
    fn new() -> Option<Self> {
        let (below, above) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mounted = Command::new("bindfs")
            // The tests turn the clock themselves, faster than what is known of a file expires.
            .args(["-o", "attr_timeout=0,entry_timeout=0"])
            .args([below.path(), above.path()])
            .output();
        let refused = match &mounted {
            Ok(output) if output.status.success() => return Some(Mount { below, above }),
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "bindfs: {refused}");
        eprintln!("skipped: no FUSE pass-through here (bindfs: {refused})");
        None
    }

    fn root(&self) -> &Path {
        self.above.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.above.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "the mount can be removed");
    }
}

#[test]
fn a_file_goes_all_the_way_on_a_fuse_file_system() {
    let Some(mount) = Mount::new() else { return };
    let volume = Volume::open(mount.root()).unwrap();
    assert!(!volume.is_local());
    assert_eq!(volume.fallbacks(), [Fallback::OwnNames, Fallback::Settle]);
    fs::write(mount.below.path().join("listing.txt"), "x\n").unwrap();
    let mut scanner = scanner_on(&volume, Duration::ZERO);
    let mut batch = take_ready(&mut scanner).begin().unwrap();
    let mut journal = batch.create_journal(&mut |file| file.write_all(b"known"), 10_000).unwrap();
    journal.append(b" and new").unwrap();
    journal.reserve(20_000).unwrap();
    let mut saved = String::new();
    batch.journal().unwrap().unwrap().read_to_string(&mut saved).unwrap();
    assert_eq!(saved.trim_end_matches('\0'), "known and new");
    // FUSE keeps an open file under another name.
    drop(journal);
    batch.discard().unwrap();
    assert_eq!(drain(&mut scanner), 1);
    let Ok([published]) = <[_; 1]>::try_from(published_in(mount.below.path())) else {
        panic!("not one file")
    };
    assert_eq!(published, "x\n");
    assert_eq!(files(&mount.below.path().join(".pipe")), Vec::<String>::new());
}

#[test]
fn a_file_that_another_machine_writes_slowly_is_not_taken_half() {
    let Some(mount) = Mount::new() else { return };
    let volume = Volume::open(mount.root()).unwrap();
    let mut scanner = scanner_on(&volume, SETTLE);
    // Below the mount, where the kernel of whoever looks through it sees no writer.
    let mut writer = File::create(mount.below.path().join("listing.txt")).unwrap();
    let start = Instant::now();
    let mut look = |seconds| match scanner.next(start + Duration::from_secs(seconds)).unwrap() {
        Next::Nothing { .. } => None,
        Next::Taken(Taken::Ready(claim)) => Some(claim),
        Next::Taken(other) => panic!("{other:?}"),
    };
    for line in 0..4 {
        writeln!(writer, "{line}").unwrap();
        assert!(look(line * 4).is_none(), "taken after line {line}");
    }
    // Its time was still for less than that: what it has now is what counts from here.
    assert!(look(13).is_none());
    assert!(look(16).is_none());
    let claim = look(18).expect("it stood still");
    let Ok(volume::Commit::Done(committed)) = copy(claim).commit() else { panic!("nobody writes to it") };
    committed.publish().unwrap();
    assert_eq!(published_in(mount.below.path()), ["0\n1\n2\n3\n"]);
}

#[test]
fn what_a_stage_publishes_need_not_stand_still_for_the_next() {
    let Some(mount) = Mount::new() else { return };
    let volume = Volume::open(mount.root()).unwrap();
    let draft = volume::Spec { name: "draft", stem: "listing", output: Some("txt"), input: None };
    let mut draft = volume.begin_draft(draft).unwrap();
    draft.output.write_all(b"x\n").unwrap();
    draft.publish().unwrap();
    let mut scanner = scanner_on(&volume, SETTLE);
    assert!(matches!(scanner.next(Instant::now()).unwrap(), Next::Taken(Taken::Ready(_))));
}

#[test]
fn a_read_only_file_that_is_still_copied_is_not_taken_half() {
    let Some(mount) = Mount::new() else { return };
    let volume = Volume::open(mount.root()).unwrap();
    let mut scanner = scanner_on(&volume, SETTLE);
    let mut copy = File::create(mount.below.path().join("listing.txt")).unwrap();
    // So `cp` makes the copy of a read-only file, before it writes to it.
    let mut permissions = copy.metadata().unwrap().permissions();
    permissions.set_readonly(true);
    copy.set_permissions(permissions).unwrap();
    copy.write_all(b"half").unwrap();
    assert!(matches!(scanner.next(Instant::now()).unwrap(), Next::Nothing { again: Some(_) }));
}
