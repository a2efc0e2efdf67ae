//! What a stage's loop sleeps on: a bell, and the events of the data directory.
//!
//! The loop waits for both by itself: no thread stands between an event and the work that it asks for.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use volume::Volume;

/// How long the loop sleeps at a time where the system cannot tell it what it waits for.
const BLIND: Duration = Duration::from_millis(100);

/// A bell: rung while nobody sleeps, it ends the next sleep at once.
#[derive(Debug, Clone)]
pub(crate) struct Wake {
    bell: Arc<OwnedFd>,
}

impl Wake {
    pub(crate) fn new() -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Wake { bell: Arc::new(bell) })
    }

    /// Ends the current sleep, or the next.
    pub(crate) fn wake(&self) {
        // It fails where the bell was rung more often than can be counted, and never heard.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    /// Sleeps until the bell is rung, but no longer than `timeout`; returns whether it was rung.
    pub(crate) fn sleep(&self, timeout: Duration) -> bool {
        self.sleep_until(timeout, None, || false)
    }

    /// Sleeps until the bell is rung or files may have come, but no longer than `timeout`; returns whether something
    /// happened.
    pub(crate) fn sleep_unless_told(&self, volume: &Volume, timeout: Duration) -> bool {
        self.sleep_until(timeout, Some(volume), || volume.has_news())
    }

    fn sleep_until(&self, timeout: Duration, volume: Option<&Volume>, is_told: impl Fn() -> bool) -> bool {
        let start = Instant::now();
        loop {
            // Both are asked: neither an event nor a bell of before may end a later sleep.
            if self.was_rung() | is_told() {
                return true;
            }
            let left = timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return false;
            }
            let events = volume.and_then(Volume::events);
            let mut sources: Vec<PollFd<'_>> = [Some(self.bell.as_fd()), events]
                .into_iter()
                .flatten()
                .map(|source| PollFd::from_borrowed_fd(source, PollFlags::IN))
                .collect();
            match poll(&mut sources, Timespec::try_from(left).ok().as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => thread::sleep(left.min(BLIND)),
            }
        }
    }

    fn was_rung(&self) -> bool {
        rustix::io::read(&self.bell, &mut [0; 8]).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use volume::Spec;

    use super::*;

    /// Would outlast any test runner if nothing ended it.
    const LONG: Duration = Duration::from_secs(1_000_000);
    const SPEC: Spec = Spec { name: "test", input: Some("txt"), output: Some("csv") };

    fn watched() -> (TempDir, Volume) {
        let directory = tempfile::tempdir().unwrap();
        let volume = Volume::open(directory.path()).unwrap();
        volume.watch(SPEC).expect("this machine has file events");
        (directory, volume)
    }

    #[test]
    fn a_bell_rung_early_ends_the_next_sleep() {
        let wake = Wake::new().unwrap();
        wake.wake();
        assert!(wake.sleep(LONG));
        assert!(!wake.sleep(Duration::ZERO), "it was rung once");
    }

    #[test]
    fn a_sleep_ends_when_the_bell_is_rung_from_elsewhere() {
        let wake = Wake::new().unwrap();
        let other = wake.clone();
        let ringer = thread::spawn(move || other.wake());
        wake.sleep(LONG);
        ringer.join().unwrap();
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "it plays the people who drop files")]
    fn a_file_moved_into_the_directory_ends_the_sleep() {
        let ((directory, volume), wake) = (watched(), Wake::new().unwrap());
        let (outside, path) = (tempfile::tempdir().unwrap(), directory.path().join("listing.txt"));
        std::fs::write(outside.path().join("new"), "x").unwrap();
        let mover = thread::spawn(move || std::fs::rename(outside.path().join("new"), path).unwrap());
        assert!(wake.sleep_unless_told(&volume, LONG));
        mover.join().unwrap();
    }

    #[test]
    fn only_the_stages_own_files_end_the_sleep() {
        let ((directory, volume), wake) = (watched(), Wake::new().unwrap());
        for other in ["listing.csv", "listing-7.json", "other.txt"] {
            std::fs::write(directory.path().join(other), "x").unwrap();
        }
        assert!(!wake.sleep_unless_told(&volume, Duration::ZERO));
        std::fs::write(directory.path().join("listing-7.txt"), "x").unwrap();
        assert!(wake.sleep_unless_told(&volume, Duration::ZERO));
    }
}
