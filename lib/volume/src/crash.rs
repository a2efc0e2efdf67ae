//! Crash points: where tests end a process as if it were killed. Only debug builds have them.
//!
//! Each call of the protocol is one, named by what it does and where it is asked for; stages name others with
//! [`point`]. Two environment variables steer them:
//!
//! - `CRASH_POINTS`, a file: each point that the process passes is added to it, a line each.
//! - `CRASH_AT`, a number: the process is killed at its point of that number, counted from 1.

/// Marks a point at which a crash can be tried; `name` says what is about to be done, as a verb.
#[cfg(not(debug_assertions))]
#[inline]
pub fn point(_name: &'static str) {}

/// Marks a point at which a crash can be tried; `name` says what is about to be done, as a verb.
#[cfg(debug_assertions)]
#[track_caller]
pub fn point(name: &'static str) {
    if let Some(plan) = PLAN.as_ref() {
        plan.pass(name, std::panic::Location::caller());
    }
}

#[cfg(debug_assertions)]
static PLAN: std::sync::LazyLock<Option<plan::Plan>> = std::sync::LazyLock::new(plan::Plan::read);

#[cfg(debug_assertions)]
mod plan {
    use std::fs::{File, OpenOptions};
    use std::io::Write as _;
    use std::panic::Location;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    /// What is to happen at the points.
    pub(super) struct Plan {
        passed: AtomicU64,
        list: Option<File>,
        crash_at: Option<u64>,
    }

    impl Plan {
        pub(super) fn read() -> Option<Self> {
            let list = std::env::var_os("CRASH_POINTS").map(|path| {
                OpenOptions::new().append(true).create(true).open(path).expect("CRASH_POINTS names a file")
            });
            let crash_at = std::env::var("CRASH_AT").ok();
            let crash_at = crash_at.map(|number| number.parse().expect("CRASH_AT is a number"));
            (list.is_some() || crash_at.is_some()).then(|| Plan { passed: AtomicU64::new(0), list, crash_at })
        }

        pub(super) fn pass(&self, name: &'static str, place: &Location<'_>) {
            let number = self.passed.fetch_add(1, Ordering::Relaxed) + 1;
            if let Some(mut list) = self.list.as_ref() {
                // One write a line: other processes may append to the same file.
                let line = format!("{place} {name}\n");
                list.write_all(line.as_bytes()).expect("CRASH_POINTS can be written");
            }
            if self.crash_at == Some(number) {
                // The kernel ends every thread before the call returns.
                kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
            }
        }
    }
}
