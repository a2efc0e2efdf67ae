//! A small disk that can be full or read-only for a while.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use end_to_end::run;
use tempfile::TempDir;

const SIZE: &str = "size=64m";

/// A file system in memory, gone with the test.
pub(crate) struct Disk {
    directory: TempDir,
    /// Where it is read-only all the time.
    view: TempDir,
    /// What fills it.
    ballast: File,
}

impl Disk {
    pub(crate) fn mount() -> Self {
        let (directory, view) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        run(Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(directory.path()));
        run(Command::new("mount").arg("--bind").args([directory.path(), view.path()]));
        run(Command::new("mount").args(["-o", "remount,bind,ro"]).arg(view.path()));
        let ballast = File::create(directory.path().join("ballast")).unwrap();
        Disk { directory, view, ballast }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Takes all the room that there is.
    pub(crate) fn fill(&self) {
        let block = [0; 4096];
        while (&self.ballast).write_all(&block).is_ok() {}
    }

    /// Gives the room back.
    pub(crate) fn clear(&self) {
        self.ballast.set_len(0).unwrap();
        std::io::Seek::rewind(&mut &self.ballast).unwrap();
    }

    /// Makes it read-only for whoever comes by its path: the view is put over it, since a mount that has files open for
    /// writing cannot be made read-only.
    pub(crate) fn make_read_only(&self) {
        run(Command::new("mount").arg("--bind").args([self.view.path(), self.path()]));
    }

    /// Makes it writable again.
    pub(crate) fn make_writable(&self) {
        // Some may have files of it open.
        run(Command::new("umount").arg("--lazy").arg(self.path()));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for directory in [&self.view, &self.directory] {
            let _ = Command::new("umount").arg("--lazy").arg(directory.path()).status();
        }
    }
}
