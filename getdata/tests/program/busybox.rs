//! Every line against what the real `busybox ls -ld` prints.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use crate::{Place, run};

const HOUR: Duration = Duration::from_secs(3600);

/// What busybox prints; none where it is missing.
fn busybox(path: &Path) -> Option<String> {
    let mut command = Command::new("busybox");
    let output = command.args(["ls", "-ld"]).arg(path).env("TZ", "UTC").env("LC_ALL", "C.UTF-8").output();
    match output {
        Ok(output) => {
            assert!(output.status.success(), "{output:?}");
            Some(String::from_utf8(output.stdout).unwrap())
        }
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "busybox is missing: {error}");
            eprintln!("skipped: busybox is missing: {error}");
            None
        }
    }
}

/// All entries below a directory, and itself.
fn entries(path: PathBuf) -> Vec<PathBuf> {
    let is_directory = fs::symlink_metadata(&path).unwrap().is_dir();
    let below = if is_directory {
        fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect()
    } else {
        vec![]
    };
    std::iter::once(path).chain(below.into_iter().flat_map(entries)).collect()
}

#[test]
fn every_kind_of_entry_looks_as_busybox_prints_it() {
    let place = Place::new();
    let root = place.root();
    plain_files(&root);
    times(&root);
    modes(&root);
    links(&root);
    drop(UnixListener::bind(root.join("socket")).unwrap());
    nodes(&root);
    owners(&root);

    let (output, log) = run(&mut place.getdata());
    assert_eq!(output.status.code(), Some(0), "{log}");
    let listing = place.listing();
    let mut listed: Vec<&str> = listing.split_inclusive('\n').collect();
    listed.sort_unstable();
    let Some(mut expected) = entries(root).iter().map(|path| busybox(path)).collect::<Option<Vec<_>>>()
    else {
        return;
    };
    expected.sort_unstable();
    assert_eq!(listed, expected);
}

fn plain_files(root: &Path) {
    fs::create_dir_all(root.join("directory/below")).unwrap();
    for name in ["plain", "with blank", " leading", "trailing ", "é", "a -> b", "-dash", "comma,\"quote\""] {
        fs::write(root.join(name), name).unwrap();
    }
    File::create(root.join("huge")).unwrap().set_len(12_345_678_901).unwrap();
    fs::hard_link(root.join("plain"), root.join("directory/again")).unwrap();
}

fn times(root: &Path) {
    let now = SystemTime::now();
    let file =
        |name: &str, time: SystemTime| File::create(root.join(name)).unwrap().set_modified(time).unwrap();
    // Half a year and a quarter of an hour are the edges; no test runs for hours.
    for (days, name) in
        [(0, "today"), (1, "yesterday"), (181, "nearly half a year"), (184, "half a year"), (3000, "old")]
    {
        file(name, now - days * 24 * HOUR);
    }
    file("soon", now + HOUR / 6);
    file("tomorrow", now + 24 * HOUR);
    file("before 1970", UNIX_EPOCH - 24 * HOUR);
    file("1970", UNIX_EPOCH);
    // The last that every file system keeps.
    file("far", UNIX_EPOCH + Duration::from_secs((1 << 31) - 1));
}

fn modes(root: &Path) {
    for mode in
        [0o0, 0o400, 0o644, 0o755, 0o777, 0o1666, 0o1755, 0o2644, 0o2755, 0o4644, 0o4755, 0o6666, 0o7777]
    {
        for kind in ["file", "directory"] {
            let path = root.join(format!("{kind} {mode:o}"));
            if kind == "file" {
                drop(File::create(&path).unwrap())
            } else {
                fs::create_dir(&path).unwrap()
            }
            // What nobody may look into could not be deleted after the test either.
            let mode = if kind == "directory" { mode | 0o700 } else { mode };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
    }
}

fn links(root: &Path) {
    for (name, target) in
        [("link", "plain"), ("dangling", "no/such/file"), ("blank link", "with blank"), ("up", "..")]
    {
        symlink(target, root.join(name)).unwrap();
    }
}

fn nodes(root: &Path) {
    let node = |name: &str, kind, major, minor| {
        mknodat(CWD, root.join(name), kind, Mode::from_raw_mode(0o640), makedev(major, minor))
    };
    node("fifo", FileType::Fifo, 0, 0).unwrap();
    for (name, kind, major, minor) in [
        ("disk", FileType::BlockDevice, 8, 0),
        ("null", FileType::CharacterDevice, 1, 3),
        ("wide", FileType::CharacterDevice, 1234, 123_456),
        ("widest", FileType::BlockDevice, 4095, 1_048_575),
    ] {
        if let Err(error) = node(name, kind, major, minor) {
            eprintln!("skipped: the device `{name}`: {error}");
        }
    }
}

fn owners(root: &Path) {
    for (name, user, group) in
        [("unnamed", 54_321, 54_322), ("cut", 123_456_789, 4_294_967_294), ("mail", 8, 8)]
    {
        let path = root.join(name);
        File::create(&path).unwrap();
        if let Err(error) = std::os::unix::fs::chown(&path, Some(user), Some(group)) {
            eprintln!("skipped: the owner of `{name}`: {error}");
        }
    }
}
