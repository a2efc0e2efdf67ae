//! Failpoints: where tests end a process as if it were killed. Only debug builds have them.
//!
//! Each call of the protocol is one, named by what it does and where it is asked for; stages name others with
//! [`failpoint`]. Two environment variables steer them:
//!
//! - `FAILPOINTS`, a file: each failpoint that the process passes is added to it, a line each: file, line, column, name.
//! - `FAIL_AT`, a number: the process is killed at its failpoint of that number, counted from 1.

/// Marks a place where tests can kill the process; `name` says what is about to be done, as a verb.
#[cfg(not(debug_assertions))]
#[inline]
pub fn failpoint(_name: &'static str) {}

/// Marks a place where tests can kill the process; `name` says what is about to be done, as a verb.
#[cfg(debug_assertions)]
#[track_caller]
pub fn failpoint(name: &'static str) {
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

    /// What is to happen at the failpoints.
    pub(super) struct Plan {
        passed: AtomicU64,
        list: Option<File>,
        fail_at: Option<u64>,
    }

    impl Plan {
        pub(super) fn read() -> Option<Self> {
            let list = std::env::var_os("FAILPOINTS").map(|path| {
                OpenOptions::new().append(true).create(true).open(path).expect("FAILPOINTS names a file")
            });
            let fail_at = std::env::var("FAIL_AT").ok();
            let fail_at = fail_at.map(|number| number.parse().expect("FAIL_AT is a number"));
            (list.is_some() || fail_at.is_some()).then(|| Plan { passed: AtomicU64::new(0), list, fail_at })
        }

        pub(super) fn pass(&self, name: &'static str, place: &Location<'_>) {
            let number = self.passed.fetch_add(1, Ordering::Relaxed) + 1;
            if let Some(mut list) = self.list.as_ref() {
                // One write a line: other processes may append to the same file.
                let line = format!("{place} {name}\n");
                list.write_all(line.as_bytes()).expect("FAILPOINTS can be written");
            }
            if self.fail_at == Some(number) {
                // The kernel ends every thread before the call returns.
                kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
            }
        }
    }
}
