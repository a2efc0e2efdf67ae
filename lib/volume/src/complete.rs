//! Whether a file's writer is done.
//!
//! The kernel tells it of our own files and, with the right to ask, of others': a read lease. Where
//! it cannot tell, size and time must stand still for a while, which is a guess. How long is measured by this machine's
//! clock that never jumps. A file's time is compared with nothing but itself: it may come from the clock of the server
//! (NFS) or of whoever writes (`GlusterFS`), and no two clocks agree.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::fs;
use crate::lease::{self, Lease};

/// How long an empty file must stand still: `touch` and a slow `cp` look the same.
const EMPTY_SETTLE: Duration = Duration::from_secs(10);

/// What tells one content of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    inode: u64,
    pub(crate) size: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Fingerprint {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Fingerprint {
            inode: metadata.ino(),
            size: metadata.len(),
            seconds: metadata.mtime(),
            nanoseconds: metadata.mtime_nsec(),
        }
    }

    /// Asks whoever keeps the file, and not what this machine remembers of it: on a shared file system that can be a
    /// minute old. Where it cannot be asked so, what is remembered counts.
    fn fresh(file: &File, remembered: &Metadata) -> io::Result<Self> {
        let Some(now) = fs::ask(file)? else { return Ok(Self::of(remembered)) };
        Ok(Fingerprint {
            inode: now.stx_ino,
            size: now.stx_size,
            seconds: now.stx_mtime.tv_sec,
            nanoseconds: now.stx_mtime.tv_nsec.into(),
        })
    }

    /// Size and modification time in hexadecimal: the same for the same content, also after a restart.
    pub(crate) fn key(&self) -> String {
        format!("{:x}-{:x}.{:x}", self.size, self.seconds, self.nanoseconds)
    }
}

/// What one look at a file gave.
#[derive(Debug)]
pub(crate) enum Look {
    /// Nobody has it open for writing.
    Written(Fingerprint),
    /// Someone has it open for writing.
    BeingWritten,
    /// The system does not tell.
    Unknown(Fingerprint),
    /// Not a file that can be read: a directory, a symbolic link, a file without the right to read.
    Unfit(String),
    /// Nothing has the name any more.
    Gone,
}

/// Looks at a file once. `leases`: whether the volume has them.
pub(crate) fn look(path: &Path, leases: bool) -> io::Result<Look> {
    let Some(metadata) = fs::look(path)? else { return Ok(Look::Gone) };
    // Before it is opened: opening a device can do things.
    if let Some(kind) = other_kind(&metadata) {
        return Ok(Look::Unfit(format!("is {kind}, not a regular file")));
    }
    let file = match fs::open(path) {
        Ok(file) => file,
        Err(error) => {
            return match error.kind() {
                ErrorKind::NotFound => Ok(Look::Gone),
                ErrorKind::PermissionDenied => Ok(Look::Unfit("may not be read by this user".into())),
                _ => Err(error),
            };
        }
    };
    look_open(&file, leases)
}

fn look_open(file: &File, leases: bool) -> io::Result<Look> {
    let lease = if leases { lease::probe(file) } else { Lease::Unknown };
    // After the lease: what a writer did until it closed is in size and time.
    let metadata = file.metadata()?;
    if let Some(kind) = other_kind(&metadata) {
        return Ok(Look::Unfit(format!("is {kind}, not a regular file")));
    }
    let fingerprint = Fingerprint::of(&metadata);
    Ok(match lease {
        Lease::NoWriter => Look::Written(fingerprint),
        Lease::Writer => Look::BeingWritten,
        Lease::Unknown if fs::is_marked_complete(&metadata) => Look::Written(fingerprint),
        Lease::Unknown if leases => Look::Unknown(fingerprint),
        Lease::Unknown => Look::Unknown(Fingerprint::fresh(file, &metadata)?),
    })
}

fn other_kind(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    match () {
        () if kind.is_file() => None,
        () if kind.is_dir() => Some("a directory"),
        () if kind.is_symlink() => Some("a symbolic link"),
        () if kind.is_fifo() => Some("a FIFO"),
        () if kind.is_socket() => Some("a socket"),
        () => Some("a device"),
    }
}

/// What to do with a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Completeness {
    /// It is complete, with this content.
    Take(Fingerprint),
    /// Its writer is not done; `until` where standing still till then would settle it.
    Wait {
        /// The earliest time at which another look can tell otherwise by itself.
        until: Option<Instant>,
    },
    /// It can't be taken as it is, and why.
    Leave(String),
    /// It is gone.
    Gone,
}

/// Since when a file stands still, as seen from here: what was before it was first seen counts for nothing.
#[derive(Debug, Default)]
pub(crate) struct StabilityCheck {
    since: Option<(Fingerprint, Instant)>,
}

impl StabilityCheck {
    /// Judges a look taken at `now`; `settle` is how long a file must stand still where the system can't tell.
    pub(crate) fn judge(&mut self, look: Look, now: Instant, settle: Duration) -> Completeness {
        let (fingerprint, needed) = match look {
            Look::Written(fingerprint) if fingerprint.size > 0 => return Completeness::Take(fingerprint),
            Look::Written(fingerprint) => (fingerprint, EMPTY_SETTLE),
            Look::Unknown(fingerprint) if fingerprint.size > 0 => (fingerprint, settle),
            Look::Unknown(fingerprint) => (fingerprint, settle.max(EMPTY_SETTLE)),
            Look::BeingWritten => {
                self.since = None;
                return Completeness::Wait { until: None };
            }
            Look::Unfit(reason) => return Completeness::Leave(reason),
            Look::Gone => return Completeness::Gone,
        };
        let since = match self.since {
            Some((seen, since)) if seen == fingerprint => since,
            None => now,
            Some(_) => {
                // It changed under our eyes: it is being written, and no time will settle it.
                self.since = Some((fingerprint, now));
                return Completeness::Wait { until: None };
            }
        };
        self.since = Some((fingerprint, since));
        let until = since + needed;
        if now >= until { Completeness::Take(fingerprint) } else { Completeness::Wait { until: Some(until) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(5);

    fn content(size: u64, seconds: i64) -> Fingerprint {
        Fingerprint { inode: 1, size, seconds, nanoseconds: 0 }
    }

    #[test]
    fn a_file_without_writer_is_taken_at_once() {
        let completeness =
            StabilityCheck::default().judge(Look::Written(content(1, 0)), Instant::now(), SETTLE);
        assert_eq!(completeness, Completeness::Take(content(1, 0)));
    }

    #[test]
    fn a_file_being_written_waits_for_no_time() {
        let completeness = StabilityCheck::default().judge(Look::BeingWritten, Instant::now(), SETTLE);
        assert_eq!(completeness, Completeness::Wait { until: None });
    }

    #[test]
    fn an_unknown_file_is_taken_once_it_stood_still() {
        let (mut still, start) = (StabilityCheck::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let wait = |until| Completeness::Wait { until: Some(at(until)) };
        assert_eq!(still.judge(Look::Unknown(content(1, 0)), at(0), SETTLE), wait(5));
        let written = Completeness::Wait { until: None };
        assert_eq!(still.judge(Look::Unknown(content(1, 1)), at(4), SETTLE), written, "its time changed");
        assert_eq!(still.judge(Look::Unknown(content(1, 1)), at(5), SETTLE), wait(9));
        assert_eq!(still.judge(Look::Unknown(content(2, 1)), at(8), SETTLE), written, "it grew");
        assert_eq!(still.judge(Look::BeingWritten, at(9), SETTLE), Completeness::Wait { until: None });
        assert_eq!(
            still.judge(Look::Unknown(content(2, 1)), at(13), SETTLE),
            wait(18),
            "a writer came between"
        );
        assert_eq!(
            still.judge(Look::Unknown(content(2, 1)), at(18), SETTLE),
            Completeness::Take(content(2, 1))
        );
    }

    #[test]
    fn an_empty_file_is_taken_after_ten_seconds_only() {
        for look in [Look::Written, Look::Unknown] {
            let (mut still, start) = (StabilityCheck::default(), Instant::now());
            let ten = start + Duration::from_secs(10);
            assert_eq!(
                still.judge(look(content(0, 0)), start, SETTLE),
                Completeness::Wait { until: Some(ten) }
            );
            assert_eq!(still.judge(look(content(0, 0)), ten, SETTLE), Completeness::Take(content(0, 0)));
        }
    }

    #[test]
    fn what_is_no_regular_file_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(directory.path().join("socket")).unwrap();
        for (name, expected) in
            [("fifo", "a FIFO"), ("link", "a symbolic link"), ("socket", "a socket"), (".", "a directory")]
        {
            match look(&directory.path().join(name), true).unwrap() {
                Look::Unfit(reason) => assert_eq!(reason, format!("is {expected}, not a regular file")),
                other => panic!("{name}: {other:?}"),
            }
        }
        assert!(matches!(look(&directory.path().join("none"), true).unwrap(), Look::Gone));
    }

    #[test]
    fn an_open_writer_is_seen_and_its_end_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("listing.txt");
        let writer =
            std::fs::write(&path, "x").and_then(|()| File::options().append(true).open(&path)).unwrap();
        if matches!(look(&path, true).unwrap(), Look::Unknown(_)) {
            eprintln!("skipped: this file system has no leases");
            return;
        }
        assert!(matches!(look(&path, true).unwrap(), Look::BeingWritten));
        drop(writer);
        assert!(matches!(look(&path, true).unwrap(), Look::Written(_)));
    }

    /// A mount of one directory at another that believes for ten minutes what it knows of a file; `None`, with a message,
    /// where this machine cannot mount it.
    fn remembering() -> Option<[tempfile::TempDir; 2]> {
        let [below, above] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let mounted = std::process::Command::new("bindfs")
            .args(["-o", "attr_timeout=600,entry_timeout=600"])
            .args([below.path(), above.path()])
            .output();
        if mounted.as_ref().is_ok_and(|output| output.status.success()) {
            return Some([below, above]);
        }
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "bindfs: {mounted:?}");
        eprintln!("skipped: no FUSE pass-through here (bindfs: {mounted:?})");
        None
    }

    #[test]
    fn a_file_that_grew_elsewhere_is_seen_to_have_grown_though_this_machine_remembers_it() {
        let Some([below, above]) = remembering() else { return };
        let (written, seen) = (below.path().join("listing.txt"), above.path().join("listing.txt"));
        let sizes = ["half", "half, and the rest"].map(|content| {
            std::fs::write(&written, content).unwrap();
            match look(&seen, false).unwrap() {
                Look::Unknown(fingerprint) => fingerprint.size,
                other => panic!("{other:?}"),
            }
        });
        let unmounted = std::process::Command::new("umount").arg(above.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
        assert_eq!(sizes, [4, 18]);
    }
}
