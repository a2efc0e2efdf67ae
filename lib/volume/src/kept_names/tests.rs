#![expect(clippy::disallowed_methods, reason = "it plays the people who move and delete files")]

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::fs::ENTRIES_READ;
use crate::{Commit, Next, Scanner, Taken, Volume};

const FIRST: Spec = Spec { name: "first", stem: "listing", input: Some("txt"), output: Some("csv") };
const SECOND: Spec = Spec { name: "second", stem: "listing", input: Some("csv"), output: Some("json") };
/// Longer than any test.
const LONG: Duration = Duration::from_secs(3600);

/// A data directory whose names are kept, and the files that were in it when events were told last.
struct Stage {
    volume: Volume,
    scanner: Scanner,
    told: BTreeMap<OsString, (u64, i64, i64)>,
}

impl Stage {
    /// `None` where events cannot tell all.
    fn new(directory: &Path, spec: Spec) -> Option<Self> {
        let volume = Volume::open(directory).unwrap();
        if !volume.is_local() {
            eprintln!("skipped: on this file system others may change a directory");
            return None;
        }
        volume.keep_names(spec);
        let scanner = Scanner::new(volume.clone(), spec, Duration::ZERO, LONG);
        Some(Stage { volume, scanner, told: BTreeMap::new() })
    }

    /// Tells what a watch would.
    fn tell_events(&mut self) {
        let files: BTreeMap<_, _> = std::fs::read_dir(self.volume.root())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name(), entry.metadata().unwrap()))
            .map(|(name, file)| (name, (file.ino(), file.ctime(), file.ctime_nsec())))
            .collect();
        for name in self.told.keys().filter(|name| !files.contains_key(*name)) {
            self.volume.note(Change::Gone(name));
        }
        for (name, _) in files.iter().filter(|(name, file)| self.told.get(*name) != Some(file)) {
            self.volume.note(Change::Appeared(name));
        }
        self.told = files;
    }

    /// Takes the next file and copies it; returns the name that it had and the one that the copy has.
    fn work(&mut self) -> Option<(String, String)> {
        self.tell_events();
        let claim = match self.scanner.next(Instant::now()).unwrap() {
            Next::Taken(Taken::Ready(claim)) => claim,
            Next::Nothing { .. } => return None,
            other => panic!("{other:?}"),
        };
        let mut batch = claim.begin().unwrap();
        let (source, mut content) = (batch.source().unwrap().to_owned(), Vec::new());
        batch.input.read_to_end(&mut content).unwrap();
        batch.output.write_all(&content).unwrap();
        let Commit::Done(committed) = batch.commit().unwrap() else { panic!("nobody writes to it") };
        Some((source, committed.publish().unwrap().name.unwrap()))
    }
}

fn directory_of(names: impl IntoIterator<Item = String>) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in names {
        std::fs::write(directory.path().join(name), "x").unwrap();
    }
    directory
}

#[test]
fn a_batch_costs_no_more_looks_where_a_thousand_files_wait() {
    let mut cost = BTreeMap::new();
    for waiting in [10, 1_000] {
        let directory = directory_of((0..waiting).map(|number| format!("listing-{number:04}.txt")));
        let Some(mut first) = Stage::new(directory.path(), FIRST) else { return };
        let Some(mut second) = Stage::new(directory.path(), SECOND) else { return };
        // From here on the directory is known.
        first.work().unwrap();
        second.work().unwrap();
        let before = ENTRIES_READ.get();
        for number in 1..=5 {
            let (taken, published) = first.work().unwrap();
            assert_eq!(taken, format!("listing-{number:04}.txt"));
            assert_eq!(published, "listing.csv", "nothing waits");
            assert_eq!(second.work().unwrap().0, "listing.csv");
            assert_eq!(second.work(), None);
        }
        cost.insert(waiting, ENTRIES_READ.get() - before);
    }
    assert_eq!(cost[&10], cost[&1_000], "entries read for ten batches");
}

#[test]
fn a_file_that_comes_late_takes_its_place_in_the_order() {
    let directory = directory_of(["2", "5", "7"].map(|id| format!("listing-{id}.txt")));
    let Some(mut stage) = Stage::new(directory.path(), FIRST) else { return };
    let mut taken = vec![stage.work().unwrap().0];
    for late in ["listing-6.txt", "listing.txt"] {
        std::fs::write(directory.path().join(late), "x").unwrap();
    }
    taken.extend(std::iter::from_fn(|| stage.work()).map(|(taken, _)| taken));
    assert_eq!(taken, ["2", "", "5", "6", "7"].map(|id| format!("listing-{id}.txt").replace("-.", ".")));
}

#[test]
fn only_files_for_the_stage_wake_it() {
    let directory = directory_of([]);
    let Some(stage) = Stage::new(directory.path(), FIRST) else { return };
    let note = |name: &'static str| stage.volume.note(Change::Appeared(name.as_ref()));
    assert!(!note("listing.csv") && !note("other.txt") && !note("listing-x.json"));
    assert!(note("listing.txt") && stage.volume.note(Change::Written("listing-7.txt".as_ref())));
    assert!(!stage.volume.note(Change::Gone("listing.txt".as_ref())));
    assert!(stage.volume.note(Change::Lost));
}

#[test]
fn what_a_volume_publishes_counts_at_once_and_what_others_take_when_the_event_comes() {
    let directory = directory_of(["listing-1.txt", "listing-2.txt", "listing-3.txt"].map(str::to_owned));
    let Some(mut stage) = Stage::new(directory.path(), FIRST) else { return };
    assert_eq!(stage.work().unwrap().1, "listing.csv");
    let greatest = stage.work().unwrap().1;
    assert!(greatest.starts_with("listing-"), "the plain name is taken");
    assert_eq!(stage.volume.waiting(SECOND).unwrap(), 2);
    for name in ["listing.csv", &greatest] {
        std::fs::remove_file(directory.path().join(name)).unwrap();
    }
    // No event was told: the name that would be the last is looked at.
    assert_eq!(stage.volume.last_name(FIRST.gives().unwrap()).unwrap(), None);
}

/// Something that happens in the model directory, or to what is known of it.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Another writes a file of this name, or deletes it.
    Write(usize),
    Delete(usize),
    /// We publish a file under this name, or claim it; so many events are told before and after the rename.
    Publish(usize, usize, usize),
    Claim(usize, usize, usize),
    /// So many events come.
    Tell(usize),
    Lose,
    Rescan,
}

const NAMES: [&str; 6] =
    ["listing.txt", "listing-1.txt", "listing-2.txt", "listing.csv", "listing-1.csv", "listing-2.csv"];

fn step() -> impl Strategy<Value = Step> {
    let (name, events) = (0..NAMES.len(), 0..4_usize);
    prop_oneof![
        name.clone().prop_map(Step::Write),
        name.clone().prop_map(Step::Delete),
        (name.clone(), events.clone(), events.clone()).prop_map(|(n, a, b)| Step::Publish(n, a, b)),
        (name, events.clone(), events.clone()).prop_map(|(n, a, b)| Step::Claim(n, a, b)),
        events.prop_map(Step::Tell),
        Just(Step::Lose),
        Just(Step::Rescan),
    ]
}

/// A real directory, and its events, which come as late as they like.
struct Late {
    directory: TempDir,
    events: VecDeque<(bool, &'static str)>,
    /// Ours, that nobody took.
    published: Vec<&'static str>,
}

impl Late {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn apply(&mut self, step: Step, kept: &KeptNames) {
        match step {
            Step::Write(name) => self.write(NAMES[name]),
            Step::Delete(name) => self.delete(NAMES[name]),
            Step::Publish(name, before, after) => {
                let name = NAMES[name];
                if !self.path(name).exists() {
                    self.rename(kept, name, before, after, Late::publish);
                }
            }
            Step::Claim(name, before, after) => self.rename(kept, NAMES[name], before, after, Late::delete),
            Step::Tell(events) => self.tell(kept, events),
            Step::Lose => {
                self.events.clear();
                kept.note(Change::Lost);
            }
            Step::Rescan => kept.forget(),
        }
    }

    fn write(&mut self, name: &'static str) {
        std::fs::write(self.path(name), "x").unwrap();
        self.events.push_back((true, name));
    }

    fn publish(&mut self, name: &'static str) {
        self.write(name);
        self.published.push(name);
    }

    fn delete(&mut self, name: &'static str) {
        if std::fs::remove_file(self.path(name)).is_ok() {
            self.events.push_back((false, name));
            self.published.retain(|published| *published != name);
        }
    }

    /// Some events come while a rename of our own is made, before it happens and after.
    fn rename(
        &mut self,
        kept: &KeptNames,
        name: &'static str,
        before: usize,
        after: usize,
        make: fn(&mut Late, &'static str),
    ) {
        let mut names = kept.formats().filter_map(|format| Some((format, format.parse(name.as_ref())?)));
        let (format, parsed) = names.next().unwrap();
        kept.renaming(format, &parsed, || {
            self.tell(kept, before);
            if before == 0 {
                // Another looks, and has to read the directory.
                kept.forget();
                known(kept);
            }
            make(self, name);
            self.tell(kept, after);
            self.assert_knows_what_is_published(kept);
        });
    }

    fn tell(&mut self, kept: &KeptNames, events: usize) {
        for (appeared, name) in self.events.drain(..events.min(self.events.len())) {
            let name = OsStr::new(name);
            kept.note(if appeared { Change::Appeared(name) } else { Change::Gone(name) });
        }
    }

    fn assert_knows_what_is_published(&self, kept: &KeptNames) {
        let known = known(kept);
        for published in &self.published {
            assert!(known.iter().any(|name| name == published), "{published} is missing of {known:?}");
        }
    }

    fn there(&self) -> Vec<String> {
        NAMES.iter().filter(|name| self.path(name).exists()).map(ToString::to_string).collect()
    }
}

fn known(kept: &KeptNames) -> Vec<String> {
    let names = |format: Format| {
        let show = |names: &mut Names| names.iter().map(|name| format.file_name(name)).collect::<Vec<_>>();
        kept.with(format, show).unwrap().unwrap()
    };
    kept.formats().flat_map(names).collect()
}

proptest! {
    #[test]
    fn the_names_are_those_in_the_directory_however_late_events_come(steps in prop::collection::vec(step(), 1..60)) {
        let directory = tempfile::tempdir().unwrap();
        let kept = KeptNames::new(directory.path().to_owned(), FIRST, true);
        let mut late = Late { directory, events: VecDeque::new(), published: Vec::new() };
        known(&kept);
        for step in steps {
            late.apply(step, &kept);
            late.assert_knows_what_is_published(&kept);
            if matches!(step, Step::Lose | Step::Rescan) {
                prop_assert_eq!(known(&kept), late.there());
            }
        }
        late.tell(&kept, usize::MAX);
        prop_assert_eq!(known(&kept), late.there());
    }
}
