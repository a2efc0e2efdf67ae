use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use end_to_end::{AtWork, DataDir, STAGES, as_nobody, is_root, wait_for};
use rustix::fs::{CWD, FileType, makedev, mknodat};

use crate::outside::Outside;

/// Makes something at a path, given what lies outside.
type Make = fn(&Path, &Outside);

/// What is no regular file, under its name in the message.
const OTHERS: [(&str, Make); 8] = [
    ("a symbolic link", |path, outside| symlink(outside.path("victim"), path).unwrap()),
    ("a symbolic link", |path, outside| symlink(outside.path("directory"), path).unwrap()),
    ("a symbolic link", |path, _| symlink("/no/such/file", path).unwrap()),
    ("a symbolic link", |path, _| symlink(path.file_name().unwrap(), path).unwrap()),
    ("a symbolic link", |path, _| symlink("/dev/zero", path).unwrap()),
    ("a directory", |path, _| fs::create_dir(path).unwrap()),
    ("a FIFO", |path, _| mknodat(CWD, path, FileType::Fifo, 0o666.into(), 0).unwrap()),
    ("a socket", |path, _| drop(UnixListener::bind(path).unwrap())),
];

fn remove(path: &Path) {
    if fs::symlink_metadata(path).unwrap().is_dir() {
        fs::remove_dir(path).unwrap();
    } else {
        fs::remove_file(path).unwrap();
    }
}

/// Puts something under the plain name before a stage that is at work, then a good file behind it.
fn is_left_alone(
    work: &AtWork<'_>,
    file: &str,
    behind: &str,
    good: &str,
    kind: &str,
    make: impl FnOnce(&Path),
) {
    let (made, path) = (work.made(), work.data.path().join(file));
    let message = format!("left alone: it is {kind}, not a regular file file=\"{file}\"");
    let told = work.running.log().matches(&message).count();
    make(&path);
    wait_for(&message, || (work.running.log().matches(&message).count() > told).then_some(()));
    work.data.put(behind, good);
    work.wait_for_good(made + 1);
    remove(&path);
    // It is through once the directory was looked through without the name.
    work.data.put(behind, good);
    work.wait_for_good(made + 2);
}

#[test]
fn what_is_no_regular_file_is_named_and_left_alone() {
    for stage in &STAGES {
        let (data, outside) = (DataDir::new(), Outside::with(&[("victim", stage.good)]));
        let work = AtWork::start(stage, &data);
        let (file, behind) = (stage.file(""), stage.file("behind"));
        for (kind, make) in OTHERS {
            is_left_alone(&work, &file, &behind, stage.good, kind, |path| make(path, &outside));
        }
        outside.assert_untouched();
        work.running.stop();
    }
}

#[test]
fn a_device_is_named_and_not_opened() {
    if !is_root("a device") {
        return;
    }
    for stage in &STAGES {
        let data = DataDir::new();
        let work = AtWork::start(stage, &data);
        // As /dev/zero: whoever reads it comes to no end.
        let make = |path: &Path| {
            mknodat(CWD, path, FileType::CharacterDevice, 0o666.into(), makedev(1, 5)).unwrap();
        };
        is_left_alone(&work, &stage.file(""), &stage.file("behind"), stage.good, "a device", make);
        work.running.stop();
    }
}

#[test]
fn where_a_link_has_the_name_of_the_output_another_is_found() {
    for stage in STAGES.iter().filter(|stage| !stage.sends()) {
        let (data, outside) = (DataDir::new(), Outside::with(&[("victim", "theirs\n")]));
        symlink(outside.path("victim"), data.path().join(format!("listing.{}", stage.output))).unwrap();
        data.put(&stage.file(""), stage.good);
        let work = AtWork::start(stage, &data);
        work.wait_for_good(1);
        outside.assert_untouched();
        work.running.stop();
    }
}

/// Makes a stage's command one without rights over the files of the test, where there is a user to be other than.
pub(crate) fn without_rights(command: Command, program: &mut Option<tempfile::TempDir>) -> Command {
    if !is_root("another user's file") {
        return command;
    }
    let (command, directory) = as_nobody(&command);
    *program = Some(directory);
    command
}

#[test]
fn a_file_that_may_not_be_read_is_named_and_left_alone() {
    for stage in &STAGES {
        let (data, mut program) = (DataDir::new(), None);
        let secret = data.path().join(stage.file(""));
        fs::write(&secret, stage.good).unwrap();
        fs::set_permissions(&secret, Permissions::from_mode(0o000)).unwrap();
        data.put(&stage.file("behind"), stage.good);
        let work = AtWork::start_by(stage, &data, |command| without_rights(command, &mut program));
        work.running.wait_for_log("left alone: it may not be read by this user");
        work.wait_for_good(1);
        fs::set_permissions(&secret, Permissions::from_mode(0o644)).unwrap();
        work.wait_for_good(2);
        work.running.stop();
    }
}

#[test]
fn a_file_that_may_not_be_moved_is_named_and_left_alone() {
    if !is_root("another user's file") {
        return;
    }
    for stage in &STAGES {
        let data = DataDir::new();
        // As /tmp: everyone may write there, and nobody may move what is another's.
        fs::set_permissions(data.path(), Permissions::from_mode(0o1777)).unwrap();
        data.put(&stage.file(""), stage.good);
        let mut program = None;
        let work = AtWork::start_by(stage, &data, |command| without_rights(command, &mut program));
        work.running.wait_for_log("left alone: it cannot be moved: ");
        let behind = data.path().join(stage.file("behind"));
        fs::write(&behind, stage.good).unwrap();
        std::os::unix::fs::chown(&behind, Some(65534), Some(65534)).unwrap();
        work.wait_for_good(1);
        assert!(data.path().join(stage.file("")).exists());
        work.running.stop();
    }
}

#[test]
fn other_names_are_left_alone() {
    for stage in &STAGES {
        let data = DataDir::new();
        // What a path of `listing-../../x.txt` would lead through.
        let way = data.path().join("listing-..");
        fs::create_dir(&way).unwrap();
        let names = [
            "listing-..",
            "listing-.",
            "listing-a b",
            "listing-\n",
            "listing-\x1b[31m",
            "listing-\u{e9}",
            "x",
        ];
        let mut names: Vec<Vec<u8>> =
            names.iter().map(|name| format!("{name}.{}", stage.input).into_bytes()).collect();
        names.push([b"listing-\xff.", stage.input.as_bytes()].concat());
        names.push(format!("listing-{}.{}", "x".repeat(65), stage.input).into_bytes());
        names.push(format!("listing.{}.tmp", stage.input).into_bytes());
        let paths: Vec<_> = names.iter().map(|name| data.path().join(OsStr::from_bytes(name))).collect();
        for path in &paths {
            fs::write(path, stage.good).unwrap();
        }
        data.put(&stage.file(""), stage.good);
        let work = AtWork::start(stage, &data);
        work.wait_for_good(1);
        work.running.stop();
        for path in &paths {
            assert_eq!(fs::read(path).unwrap(), stage.good.as_bytes(), "{path:?}");
        }
        assert!(way.is_dir() && !data.path().join(stage.file("")).exists());
    }
}
