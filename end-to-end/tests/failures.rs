//! What goes wrong is said once, with the setting or path, ends with the contract's status, and loses nothing.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use end_to_end::{DataDir, Disk, STAGES, Stage, is_root, program_for_anyone, run, services, stage};

/// All programs but the api.
fn on_the_volume() -> impl Iterator<Item = &'static str> {
    services().into_iter().filter(|name| *name != "api")
}

/// Runs a command that must fail, and checks how.
fn refused(mut command: Command, status: i32, says: &[&str]) {
    let Output { status: ended, stderr, .. } = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    assert_eq!(ended.code(), Some(status), "{command:?}: {stderr}");
    for text in says {
        assert!(stderr.contains(text), "{command:?} does not say {text:?}: {stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn a_missing_data_directory_is_named() {
    for name in on_the_volume() {
        refused(stage(name, Path::new("/no/such/directory"), &[]), 1, &["--data-dir", "/no/such/directory"]);
    }
}

#[test]
fn a_data_directory_that_is_a_file_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for name in on_the_volume() {
        refused(stage(name, file.path(), &[]), 1, &["--data-dir", "is not a directory"]);
    }
}

#[test]
fn bad_settings_are_named() {
    let data = DataDir::new();
    let cases: &[(&str, &[&str])] = &[
        ("getdata", &["--every", "soon"]),
        ("getdata", &["--max-backlog", "few"]),
        ("text-to-csv", &["--settle", "5"]),
        ("csv-to-json", &["--rescan-interval", "often"]),
        ("text-to-csv", &["--once=perhaps"]),
        ("json-to-api", &["--concurrency", "0"]),
        ("json-to-api", &["--timeout", "never"]),
        ("json-to-api", &["--log-docs", "perhaps"]),
        ("csv-to-json", &["--admin-listen", "somewhere"]),
    ];
    for (name, args) in cases {
        let setting = args[0].split('=').next().unwrap();
        let mut command = Command::new(end_to_end::program(name));
        command.env_clear().arg("--data-dir").arg(data.path()).args(*args);
        refused(command, 2, &[setting]);
    }
}

#[test]
fn the_environment_is_read_and_an_empty_variable_counts_as_unset() {
    let data = DataDir::new();
    let mut command = Command::new(end_to_end::program("text-to-csv"));
    command
        .env_clear()
        .env("DATA_DIR", data.path())
        .env("ONCE", "true")
        .env("SETTLE", "")
        .env("RUST_LOG", "");
    run(&mut command);
    let mut command = Command::new(end_to_end::program("text-to-csv"));
    command.env_clear().env("DATA_DIR", data.path()).env("ONCE", "true").env("SETTLE", "soon");
    refused(command, 2, &["--settle"]);
}

#[test]
fn every_diagnostic_is_json_where_that_is_asked_for() {
    for name in on_the_volume() {
        let data = DataDir::new();
        let args: &[&str] = if name == "getdata" { &["--root", "/etc/passwd"] } else { &["--once"] };
        let mut command = stage(name, data.path(), args);
        let output = run(command.env("RUST_LOG", "trace").env("LOG_FORMAT", "json"));
        for line in String::from_utf8(output.stderr).unwrap().lines() {
            assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{name}: {line:?}");
        }
    }
}

#[test]
fn an_admin_address_in_use_is_named() {
    let data = DataDir::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for Stage { name, .. } in &STAGES {
        refused(stage(name, data.path(), &["--admin-listen", &address]), 1, &["--admin-listen", &address]);
    }
}

#[test]
fn an_address_or_header_that_makes_no_sense_is_named() {
    let data = DataDir::new();
    let cases: [&[&str]; 5] = [
        &["--api-url", "ftp://api"],
        &["--api-url", "http://name:secret@api"],
        &["--api-url", "http://name:secret/slash@api"],
        &["--api-url", "name:secret@http://api"],
        &["--header", "no colon but a secret"],
    ];
    for args in cases {
        let mut command = stage("json-to-api", data.path(), args);
        let said = String::from_utf8(command.output().unwrap().stderr).unwrap();
        assert!(!said.contains("secret"), "{said}");
        refused(command, 1, &[args[0]]);
    }
}

#[test]
fn a_certificate_or_header_file_that_is_missing_is_named() {
    let data = DataDir::new();
    let cases: [&[&str]; 2] = [&["--ca-file", "/no/such/ca.pem"], &["--header", "@/no/such/header"]];
    for args in cases {
        let command = stage("json-to-api", data.path(), &[args, &["--once"]].concat());
        refused(command, 1, &[args[0], args[1].trim_start_matches('@')]);
    }
}

#[test]
fn a_read_only_data_directory_is_named() {
    if !is_root("a read-only mount") {
        return;
    }
    let disk = Disk::mount("ro");
    let path = disk.path().display().to_string();
    for name in on_the_volume() {
        refused(stage(name, disk.path(), &[]), 1, &[&path, "Read-only file system"]);
    }
}

#[test]
fn a_data_directory_without_the_right_to_write_is_named() {
    use std::os::unix::process::CommandExt;
    if !is_root("another user's directory") {
        return;
    }
    // The program's own directory will do: it belongs to root.
    let (program, directory) = program_for_anyone("text-to-csv");
    let mut command = Command::new(program);
    command.env_clear().arg("--data-dir").arg(directory.path()).uid(65534).gid(65534);
    refused(command, 1, &[&directory.path().display().to_string(), "Permission denied"]);
}

#[test]
fn a_full_disk_is_named_and_loses_nothing() {
    if !is_root("a small disk") {
        return;
    }
    let disk = Disk::mount("size=1m");
    let line = "-rw-r--r--    1 root     root            19 Mar 19 23:57 /f\n";
    let listing = line.repeat(700_000 / line.len());
    fs::write(disk.path().join("listing.txt"), &listing).unwrap();
    let path = disk.path().display().to_string();
    refused(stage("text-to-csv", disk.path(), &["--once"]), 1, &[&path, "No space left on device"]);
    refused(stage("getdata", disk.path(), &["--root", "/usr/share"]), 1, &[&path, "No space left on device"]);
    disk.remount("size=8m");
    run(&mut stage("text-to-csv", disk.path(), &["--once"]));
    let csv = fs::read_to_string(disk.path().join("listing.csv")).unwrap();
    assert_eq!(csv.lines().count(), listing.lines().count());
    assert!(!disk.path().join("listing.txt").exists(), "getdata published half a listing");
}
