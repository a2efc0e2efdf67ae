#![expect(clippy::disallowed_methods, reason = "it plays the people who move and delete files")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;
use crate::fs::ENTRIES_READ;
use crate::{Commit, Inbox, Next, Taken, Volume};

const FIRST: Spec = Spec { name: "first", input: Some("txt"), output: Some("csv") };
const SECOND: Spec = Spec { name: "second", input: Some("csv"), output: Some("json") };
/// Longer than any test.
const LONG: Duration = Duration::from_secs(3600);

fn directory_of(names: impl IntoIterator<Item = String>) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in names {
        std::fs::write(directory.path().join(name), "x").unwrap();
    }
    directory
}

/// A stage that watches; `None` where events cannot tell all.
fn stage(directory: &TempDir, spec: Spec) -> Option<(Volume, Inbox)> {
    if !fs::is_local(directory.path()).unwrap() {
        eprintln!("skipped: on this file system others may change a directory");
        return None;
    }
    let volume = Volume::open(directory.path()).unwrap();
    volume.watch(spec).unwrap();
    Some((volume.clone(), Inbox::new(volume, spec, Duration::ZERO, LONG)))
}

/// Takes the next file and copies it; returns the name that it had and the one that the copy has.
fn work(inbox: &mut Inbox) -> Option<(String, String)> {
    let claim = match inbox.next(Instant::now()).unwrap() {
        Next::Taken(Taken::Ready(claim)) => claim,
        Next::Nothing { .. } => return None,
        other => panic!("{other:?}"),
    };
    let mut batch = claim.begin().unwrap();
    let (source, mut content) = (batch.source().unwrap().to_owned(), Vec::new());
    batch.input.read_to_end(&mut content).unwrap();
    batch.output.write_all(&content).unwrap();
    let Commit::Done(committed) = batch.commit().unwrap() else { panic!("nobody writes to it") };
    Some((source, committed.hand_on().unwrap().published.unwrap()))
}

fn names(volume: &Volume, extension: &str) -> Vec<String> {
    volume
        .with_names(extension, |names| names.iter().map(|name| name.file_name(extension)).collect())
        .unwrap()
}

#[test]
fn a_batch_costs_no_more_looks_where_a_thousand_files_wait() {
    let mut cost = BTreeMap::new();
    for waiting in [10, 1_000] {
        let directory = directory_of((0..waiting).map(|number| format!("listing-{number:04}.txt")));
        let Some((_first, mut first)) = stage(&directory, FIRST) else { return };
        let Some((_second, mut second)) = stage(&directory, SECOND) else { return };
        // From here on the directory is known.
        work(&mut first).unwrap();
        work(&mut second).unwrap();
        let before = ENTRIES_READ.get();
        for number in 1..=5 {
            let (taken, published) = work(&mut first).unwrap();
            assert_eq!(taken, format!("listing-{number:04}.txt"));
            assert_eq!(published, "listing.csv", "nothing waits");
            assert_eq!(work(&mut second).unwrap().0, "listing.csv");
            assert_eq!(work(&mut second), None);
        }
        cost.insert(waiting, ENTRIES_READ.get() - before);
    }
    assert_eq!(cost[&10], cost[&1_000], "entries read for ten batches");
}

#[test]
fn a_file_that_comes_late_takes_its_place_in_the_order() {
    let directory = directory_of(["2", "5", "7"].map(|id| format!("listing-{id}.txt")));
    let Some((_volume, mut inbox)) = stage(&directory, FIRST) else { return };
    let mut taken = vec![work(&mut inbox).unwrap().0];
    for late in ["listing-6.txt", "listing.txt"] {
        std::fs::write(directory.path().join("new"), "x").unwrap();
        std::fs::rename(directory.path().join("new"), directory.path().join(late)).unwrap();
    }
    taken.extend(std::iter::from_fn(|| work(&mut inbox)).map(|(taken, _)| taken));
    assert_eq!(taken, ["2", "", "5", "6", "7"].map(|id| format!("listing-{id}.txt").replace("-.", ".")));
}

#[test]
fn what_others_put_and_take_is_known_when_the_next_name_is_chosen() {
    let directory = directory_of((0..4).map(|number| format!("listing-{number}.txt")));
    let Some((_volume, mut inbox)) = stage(&directory, FIRST) else { return };
    let mut published = || work(&mut inbox).unwrap().1;
    assert_eq!(published(), "listing.csv");
    std::fs::write(directory.path().join("listing-zzz.csv"), "x").unwrap();
    assert!(published().starts_with("listing-zzz-"));
    let second = published();
    assert!(second.starts_with("listing-zzz-"), "{second}");
    for name in fs::names(directory.path()).unwrap() {
        if PublicName::parse(&name, "csv").is_some() {
            std::fs::remove_file(directory.path().join(name)).unwrap();
        }
    }
    assert_eq!(published(), "listing.csv");
}

#[test]
fn the_names_are_those_in_the_directory_whatever_happens_there() {
    let directory = directory_of([]);
    let Some((volume, _inbox)) = stage(&directory, FIRST) else { return };
    let unwatched = Volume::open(directory.path()).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let mut writer = None;
    let pick = |random: &mut fastrand::Rng| {
        let extension = ["txt", "csv", "json"][random.usize(..3)];
        let ids = ["", "-1", "-2", "-b", "-not an id"];
        directory.path().join(format!("listing{}.{extension}", ids[random.usize(..ids.len())]))
    };
    for _ in 0..5_000 {
        let (one, other) = (pick(&mut random), pick(&mut random));
        // Each may fail: what it is about may not be there.
        let _ = match random.u8(..8) {
            0 => std::fs::write(&one, "x"),
            1 => std::fs::remove_file(&one),
            2 => std::fs::rename(&one, &other),
            3 => std::fs::hard_link(&one, &other),
            // Some are closed only after they were moved or deleted.
            4 => File::create(&one).map(|file| writer = Some(file)),
            5 => {
                drop(writer.take());
                Ok(())
            }
            6 => std::fs::rename(&one, directory.path().join("elsewhere")),
            _ => std::fs::rename(directory.path().join("elsewhere"), &one),
        };
        match random.u8(..40) {
            0 => volume.forget_names(),
            1..10 => {
                for extension in ["txt", "csv"] {
                    assert_eq!(names(&volume, extension), names(&unwatched, extension));
                }
            }
            _ => {}
        }
    }
}

#[test]
fn where_events_were_lost_the_directory_is_read_and_whoever_waits_is_woken() {
    let directory = directory_of(["listing.txt".to_owned()]);
    let Some((volume, _inbox)) = stage(&directory, FIRST) else { return };
    assert_eq!(names(&volume, "txt").len(), 1);
    let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let other = directory.path().join("other");
    for _ in 0..limit.trim().parse::<u32>().unwrap() {
        std::fs::write(&other, "").unwrap();
        std::fs::remove_file(&other).unwrap();
    }
    std::fs::write(directory.path().join("listing-1.txt"), "x").unwrap();
    assert!(volume.has_news());
    assert_eq!(names(&volume, "txt").len(), 2);
}

#[test]
fn where_the_watch_ends_the_directory_is_read_each_time() {
    let directory = directory_of(["listing.txt".to_owned()]);
    let Some((volume, _inbox)) = stage(&directory, FIRST) else { return };
    assert_eq!(names(&volume, "txt").len(), 1);
    std::fs::rename(directory.path(), directory.path().with_extension("moved")).unwrap();
    assert!(volume.has_news() && volume.with_names("txt", BTreeSet::len).is_err());
    std::fs::rename(directory.path().with_extension("moved"), directory.path()).unwrap();
    std::fs::write(directory.path().join("listing-1.txt"), "x").unwrap();
    assert_eq!(names(&volume, "txt").len(), 2);
    assert!(volume.events().is_none());
}
