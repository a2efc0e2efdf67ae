//! A small disk that can be full or read-only for a while.

use std::path::Path;
use std::process::Command;

use end_to_end::{Ballast, Disk, run};
use tempfile::TempDir;

const SIZE: &str = "size=64m";

/// A file system in memory, gone with the test.
pub(crate) struct FrailDisk {
    disk: Disk,
    /// Where it is read-only all the time.
    view: TempDir,
    ballast: Ballast,
}

impl FrailDisk {
    pub(crate) fn mount() -> Self {
        let (disk, view) = (Disk::mount(SIZE), tempfile::tempdir().unwrap());
        run(Command::new("mount").arg("--bind").args([disk.path(), view.path()]));
        run(Command::new("mount").args(["-o", "remount,bind,ro"]).arg(view.path()));
        let ballast = disk.ballast();
        FrailDisk { disk, view, ballast }
    }

    pub(crate) fn path(&self) -> &Path {
        self.disk.path()
    }

    /// Takes all the room that there is.
    pub(crate) fn fill(&self) {
        self.ballast.grow();
    }

    /// Gives the room back.
    pub(crate) fn clear(&self) {
        self.ballast.clear();
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

impl Drop for FrailDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.view.path()).status();
    }
}
