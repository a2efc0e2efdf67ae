//! A small disk of a test's own, that can be full.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FallocateFlags, fallocate};
use tempfile::TempDir;

use crate::{is_root, run};

/// A file system, gone with the test. Only root can mount it.
pub struct Disk {
    directory: TempDir,
    /// In the order in which they were mounted; the last is the one to use.
    mounts: Vec<PathBuf>,
}

/// What the tests can mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// On a loop device.
    Ext4,
    /// On a loop device.
    Xfs,
    /// On a loop device.
    Btrfs,
    /// In memory.
    Tmpfs,
    /// Over a tmpfs.
    Overlayfs,
    /// A FUSE pass-through to a tmpfs.
    Bindfs,
}

impl FileSystem {
    /// All of them.
    pub const ALL: [FileSystem; 6] = [
        FileSystem::Ext4,
        FileSystem::Xfs,
        FileSystem::Btrfs,
        FileSystem::Tmpfs,
        FileSystem::Overlayfs,
        FileSystem::Bindfs,
    ];

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            FileSystem::Ext4 => "ext4",
            FileSystem::Xfs => "xfs",
            FileSystem::Btrfs => "btrfs",
            FileSystem::Tmpfs => "tmpfs",
            FileSystem::Overlayfs => "overlayfs",
            FileSystem::Bindfs => "bindfs (FUSE)",
        }
    }

    /// The program that makes or mounts it, and the size in MiB: about the least that it can have.
    fn needs(self) -> (&'static str, u64) {
        match self {
            FileSystem::Ext4 => ("mkfs.ext4", 64),
            FileSystem::Xfs => ("mkfs.xfs", 320),
            FileSystem::Btrfs => ("mkfs.btrfs", 160),
            FileSystem::Tmpfs | FileSystem::Overlayfs => ("mount", 64),
            FileSystem::Bindfs => ("bindfs", 64),
        }
    }
}

impl Disk {
    /// Mounts a file system in memory with these options, such as `size=1m`.
    pub fn mount(options: &str) -> Self {
        let mut disk = Disk { directory: tempfile::tempdir().unwrap(), mounts: Vec::new() };
        let top = disk.directory.path().to_owned();
        disk.add(Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]), top);
        disk
    }

    /// Mounts a small file system of a kind; `None`, with a message, where this machine cannot. CI must.
    pub fn of(kind: FileSystem) -> Option<Self> {
        let (program, size) = kind.needs();
        if !is_root(kind.name()) {
            return None;
        }
        if Command::new(program).arg("--version").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "{} must run in CI, with {program}", kind.name());
            eprintln!("{}: skipped, it needs {program}", kind.name());
            return None;
        }
        let mut disk = match kind {
            FileSystem::Ext4 | FileSystem::Xfs | FileSystem::Btrfs => {
                Disk { directory: tempfile::tempdir().unwrap(), mounts: Vec::new() }
            }
            _ => Disk::mount(&format!("size={size}m")),
        };
        let [top, below, work] = ["top", "below", "work"].map(|name| disk.directory.path().join(name));
        [&top, &below, &work].into_iter().for_each(|directory| fs::create_dir(directory).unwrap());
        match kind {
            FileSystem::Tmpfs => {}
            FileSystem::Overlayfs => {
                let layers =
                    ["lowerdir", "upperdir", "workdir"].into_iter().zip(["/var/empty", "below", "work"]);
                let layers = layers.map(|(layer, name)| {
                    // An empty directory that is nobody's upper one.
                    let path =
                        if layer == "lowerdir" { work.join("../lower") } else { disk.path().join(name) };
                    fs::create_dir_all(&path).unwrap();
                    format!("{layer}={}", path.display())
                });
                let options = layers.collect::<Vec<_>>().join(",");
                disk.add(Command::new("mount").args(["-t", "overlay", "-o", &options, "overlay"]), top);
            }
            FileSystem::Bindfs => disk.add(Command::new("bindfs").arg(below), top),
            FileSystem::Ext4 | FileSystem::Xfs | FileSystem::Btrfs => {
                let image = disk.directory.path().join("image");
                File::create(&image).unwrap().set_len(size << 20).unwrap();
                run(Command::new(program)
                    .arg(if kind == FileSystem::Ext4 { "-q" } else { "-f" })
                    .arg(&image));
                disk.add(Command::new("mount").args(["-o", "loop"]).arg(image), top);
            }
        }
        Some(disk)
    }

    fn add(&mut self, mount: &mut Command, at: PathBuf) {
        run(mount.arg(&at));
        self.mounts.push(at);
    }

    /// Changes its options.
    pub fn remount(&self, options: &str) {
        run(Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(self.path()));
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.mounts.last().expect("who makes one mounts it")
    }

    /// What can fill it, of no size yet.
    pub fn ballast(&self) -> Ballast {
        Ballast(File::create(self.path().join("ballast")).unwrap())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for mount in self.mounts.iter().rev() {
            // Some may have files of it open.
            let _ = Command::new("umount").arg("--lazy").arg(mount).status();
        }
    }
}

/// A file that fills a disk.
pub struct Ballast(File);

impl Ballast {
    /// Takes all the room that there is.
    pub fn grow(&self) {
        let mut file = &self.0;
        for size in [32 << 20, 1 << 20, 4096] {
            while file
                .seek(SeekFrom::End(0))
                .is_ok_and(|end| fallocate(file, FallocateFlags::empty(), end, size).is_ok())
            {}
        }
        // Where no room can be reserved, and what is left.
        let _ = file.seek(SeekFrom::End(0));
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    /// Gives so many bytes back.
    pub fn shrink(&self, bytes: u64) {
        let size = self.0.metadata().unwrap().len();
        self.0.set_len(size.saturating_sub(bytes)).unwrap();
    }

    /// Gives the room back.
    pub fn clear(&self) {
        self.0.set_len(0).unwrap();
        (&self.0).rewind().unwrap();
    }
}
