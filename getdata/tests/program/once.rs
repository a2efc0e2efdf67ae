//! One listing, and what may be wrong with the settings.

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::{Place, files, getdata, run, wait_until};

#[test]
fn a_listing_is_published_and_nothing_is_left_in_hand() {
    let place = Place::new();
    File::create(place.root().join("a file")).unwrap();
    let (output, log) = run(&mut place.getdata());
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert!(output.stdout.is_empty());
    assert!(log.contains("name=listing.txt entries=2 unreadable=0 elapsed="), "{log}");
    let listing = place.listing();
    assert!(listing.ends_with(&format!("{}/a file\n", place.root().display())), "{listing}");
    place.assert_nothing_in_hand();
}

#[test]
fn settings_come_from_variables_too_and_empty_ones_are_unset() {
    let place = Place::new();
    let mut command = getdata();
    command.env("DATA_DIR", place.data()).env("ROOT", place.root()).env("EVERY", "").env("MAX_BACKLOG", "");
    let (output, log) = run(&mut command);
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert_eq!(place.listing().lines().count(), 1);
}

#[test]
fn as_many_entries_are_listed_as_find_counts() {
    let place = Place::new();
    for directory in 0..60 {
        let directory = place.root().join(format!("{}/{directory}/more\nof\\it", directory % 7));
        fs::create_dir_all(&directory).unwrap();
        (0..20).for_each(|file| drop(File::create(directory.join(format!("{file}\t\u{85}"))).unwrap()));
    }
    let (output, log) = run(&mut place.getdata());
    assert_eq!(output.status.code(), Some(0), "{log}");
    let found = Command::new("find").arg(place.root()).args(["-printf", "."]).output().unwrap().stdout.len();
    assert_eq!(place.listing().lines().count(), found);
}

#[test]
fn names_of_any_bytes_give_lines_of_utf_8() {
    let place = Place::new();
    let names: Vec<&[u8]> = vec![b"\xff\xfe", b"a\nb", b"\\", b"\\n", "é\u{9f}".as_bytes(), b" ", b"a -> b"];
    for name in &names {
        File::create(place.root().join(std::ffi::OsStr::from_bytes(name))).unwrap();
    }
    run(&mut place.getdata());
    let listing = place.listing();
    assert_eq!(listing.lines().count(), 1 + names.len());
    for escaped in ["/\\377\\376\n", "/a\\nb\n", "/\\\\\n", "/\\\\n\n", "/é\\302\\237\n", "/ \n", "/a -> b\n"]
    {
        assert!(listing.contains(&format!("{}{escaped}", place.root().display())), "{escaped}\n{listing}");
    }
}

#[test]
fn the_data_directory_is_left_out() {
    let place = Place::new();
    let (output, log) =
        run(getdata().arg("--data-dir").arg(place.data()).arg("--root").arg(place.directory.path()));
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert_eq!(place.listing().lines().count(), 2, "{}", place.listing());
}

#[test]
fn the_data_directory_itself_cannot_be_listed() {
    let place = Place::new();
    for root in ["", ".pipe"] {
        let root = place.data().join(root);
        let (output, log) = run(getdata().arg("--data-dir").arg(place.data()).arg("--root").arg(root));
        assert_eq!(output.status.code(), Some(1), "{log}");
        assert!(log.contains("(--root) lies in the data directory (--data-dir)"), "{log}");
        assert!(place.waiting().is_empty());
        place.assert_nothing_in_hand();
    }
}

#[test]
fn a_missing_data_directory_is_named_and_the_status_is_1() {
    let place = Place::new();
    let missing = place.directory.path().join("missing");
    let (output, log) = run(getdata().arg("--data-dir").arg(&missing).arg("--root").arg(place.root()));
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains(missing.to_str().unwrap()) && log.contains("--data-dir"), "{log}");
}

#[test]
fn a_missing_root_is_named_and_the_status_is_1() {
    let place = Place::new();
    let missing = place.directory.path().join("missing");
    let (output, log) = run(getdata().arg("--data-dir").arg(place.data()).arg("--root").arg(&missing));
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains(missing.to_str().unwrap()) && log.contains("--root"), "{log}");
    assert_eq!(log.matches("No such file").count(), 1, "{log}");
    assert!(place.waiting().is_empty());
    place.assert_nothing_in_hand();
}

#[test]
fn what_the_parser_refuses_gives_2_and_names_the_setting() {
    let place = Place::new();
    for (setting, value) in
        [("--every", "soon"), ("--every", "0s"), ("--max-backlog", "0"), ("--max-backlog", "-1")]
    {
        let (output, log) = run(place.getdata().arg(format!("{setting}={value}")));
        assert_eq!(output.status.code(), Some(2), "{log}");
        assert!(log.contains(setting), "{log}");
    }
    assert!(place.waiting().is_empty());
}

#[test]
fn no_listing_is_added_to_a_backlog_that_is_full() {
    let place = Place::new();
    for name in ["listing.txt", "listing-1.txt"] {
        fs::write(place.data().join(name), "x").unwrap();
    }
    let (output, log) = run(place.getdata().args(["--max-backlog", "2"]));
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert!(log.contains("--max-backlog") && log.contains("waiting=2"), "{log}");
    assert_eq!(place.waiting().len(), 2);

    let (output, log) = run(place.getdata().args(["--max-backlog", "3"]));
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert_eq!(place.waiting().len(), 3);
}

#[test]
fn two_at_once_publish_a_listing_each() {
    let place = Place::new();
    (0..2_000).for_each(|number| drop(File::create(place.root().join(number.to_string())).unwrap()));
    let both: Vec<_> = thread::scope(|scope| {
        let runs = [(); 2].map(|()| scope.spawn(|| run(&mut place.getdata())));
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for (output, log) in both {
        assert_eq!(output.status.code(), Some(0), "{log}");
    }
    let listings: Vec<_> =
        place.waiting().iter().map(|name| fs::read_to_string(place.data().join(name)).unwrap()).collect();
    assert_eq!(listings.len(), 2);
    assert_eq!(listings[0].lines().count(), 2_001);
    assert_eq!(listings[0], listings[1]);
    place.assert_nothing_in_hand();
}

#[test]
fn what_a_killed_run_left_is_cleaned_up_by_the_next() {
    let place = Place::new();
    // Far more than is listed between the look and the kill.
    let mut killed = getdata().arg("--data-dir").arg(place.data()).args(["--root", "/usr"]).spawn().unwrap();
    let claims = place.data().join(".pipe/1/getdata");
    wait_until("it is at work", || !files(&claims).is_empty());
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(!files(&claims).is_empty());

    let (output, log) = run(&mut place.getdata());
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert_eq!(place.listing().lines().count(), 1);
    place.assert_nothing_in_hand();
}

#[test]
fn a_listing_given_up_to_stop_in_time_is_no_success() {
    let place = Place::new();
    let log_path = place.directory.path().join("log");
    let log = || fs::read_to_string(&log_path).unwrap();
    let mut command = getdata();
    // Far more than is listed between the two signals.
    command.arg("--data-dir").arg(place.data()).args(["--root", "/"]);
    let mut child = command.stderr(File::create(&log_path).unwrap()).spawn().unwrap();
    let claims = place.data().join(".pipe/1/getdata");
    wait_until("it is at work", || !files(&claims).is_empty());
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::TERM).unwrap();
    wait_until("it was told to stop", || log().contains("stopping on"));
    kill_process(pid, Signal::STOP).unwrap();
    // The time that it has to stop passes in its sleep.
    thread::sleep(service::Shutdown::GRACE);
    kill_process(pid, Signal::CONT).unwrap();
    let status = child.wait().unwrap();
    assert!(!status.success() && status.code().is_some(), "{status}: {}", log());
    assert!(log().contains("gave up an unfinished listing"), "{}", log());
    assert!(place.waiting().is_empty());
    place.assert_nothing_in_hand();
}
