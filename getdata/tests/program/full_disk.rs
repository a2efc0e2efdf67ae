//! A disk that is full before the listing is written.

use std::process::{Command, Output};

use crate::{Place, files};

/// Mounts a small file system on the data directory, seen by nobody else.
const MOUNT: &str = r#"mount -t tmpfs -o size=64k tmpfs "$DATA_DIR""#;

/// Runs getdata, then shows what is left on that file system.
const RUN: &str = r#""$GETDATA"; status=$?; find "$DATA_DIR" -type f; exit $status"#;

fn apart(place: &Place, script: &str) -> Output {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
    command.env("GETDATA", env!("CARGO_BIN_EXE_getdata")).env("DATA_DIR", place.data());
    command.env("ROOT", "/usr").env("RUST_LOG", "info").output().unwrap()
}

#[test]
fn a_full_disk_is_named_with_its_path_and_nothing_is_left_on_it() {
    let place = Place::new();
    let mounted = apart(&place, MOUNT);
    if !mounted.status.success() {
        eprintln!("skipped: this machine lets nobody mount a file system: {mounted:?}");
        return;
    }
    let output = apart(&place, &format!("{MOUNT} && {RUN}"));
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains("No space left on device"), "{log}");
    assert!(log.contains(place.data().to_str().unwrap()), "{log}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{log}");
    assert!(files(&place.data()).is_empty());
}
