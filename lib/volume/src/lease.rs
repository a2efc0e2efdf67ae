//! Read leases: the kernel's own word on whether anyone has a file open for writing.
//!
//! `fcntl(2)`: `F_SETLEASE` with `F_RDLCK` fails with `EAGAIN` while the file is open for writing
//! anywhere on this machine, and with `EACCES` for another user's file without `CAP_LEASE`.
#![expect(unsafe_code, reason = "no safe binding of F_SETLEASE exists in std, rustix or nix")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// What asking for a lease told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lease {
    /// Nobody has the file open for writing.
    NoWriter,
    /// Someone has.
    Writer,
    /// The system does not tell: another user's file, or a file system without leases.
    Unknown,
}

/// Asks for a read lease and gives it back at once.
pub(crate) fn probe(file: &File) -> Lease {
    match set_lease(file, libc::F_RDLCK) {
        Ok(()) => {
            // Cannot fail on a lease just granted; closing the file would release it too.
            let _ = set_lease(file, libc::F_UNLCK);
            Lease::NoWriter
        }
        Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => Lease::Writer,
        Err(_) => Lease::Unknown,
    }
}

fn set_lease(file: &File, kind: libc::c_int) -> io::Result<()> {
    // SAFETY: F_SETLEASE takes an int and touches no memory of ours; the descriptor is open.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, kind) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Ignores `SIGIO`, which a writer who opens a file within a lease's instant would send us: it ends a process by default.
pub(crate) fn ignore_lease_breaks() {
    // SAFETY: SIG_IGN is a valid disposition and installs no handler.
    unsafe { libc::signal(libc::SIGIO, libc::SIG_IGN) };
}
