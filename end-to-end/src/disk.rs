//! A small disk of a test's own, that can be full.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::run;

/// A file system in memory, gone with the test. Only root can mount it.
pub struct Disk {
    directory: TempDir,
}

impl Disk {
    /// Mounts one with these options, such as `size=1m`.
    pub fn mount(options: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(directory.path()));
        Disk { directory }
    }

    /// Changes its options.
    pub fn remount(&self, options: &str) {
        run(Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(self.path()));
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// What can fill it, of no size yet.
    pub fn ballast(&self) -> Ballast {
        Ballast(File::create(self.path().join("ballast")).unwrap())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Some may have files of it open.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

/// A file that fills a disk.
pub struct Ballast(File);

impl Ballast {
    /// Takes all the room that there is.
    pub fn grow(&self) {
        while (&self.0).write_all(&[0; 4096]).is_ok() {}
    }

    /// Gives the room back.
    pub fn clear(&self) {
        self.0.set_len(0).unwrap();
        (&self.0).rewind().unwrap();
    }
}
