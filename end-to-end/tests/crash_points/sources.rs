//! Finds in the sources each place that is a crash point, so that none is forgotten by the cases.
//!
//! A place is where a function that is marked `#[track_caller]` in `lib/volume` is called from one that is not: its
//! file, line and column are what the point is listed under.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::campaign::Report;
use crate::scan::{self, Marked, Place};

/// Places where no case kills a process: file, function and call, and why none does.
const LEFT_OUT: &[(&str, &str, &str, &str)] = &[
    (
        "lib/volume/src/batch.rs",
        "sync_so_far",
        "sync_data",
        "comes after 64 MiB of output, and changes no more than the writes around it",
    ),
    (
        "lib/volume/src/claim.rs",
        "put_back",
        "fs::rename_no_replace",
        "for a file that becomes something else between the look at it and its claim",
    ),
    (
        "lib/volume/src/claim.rs",
        "put_back",
        "sync",
        "for a file that becomes something else while it is converted",
    ),
    ("lib/volume/src/journal.rs", "create", "fs::unlink", "for a journal that could not be written"),
    (
        "lib/volume/src/publish.rs",
        "publish",
        "fs::rename",
        "for file systems that cannot rename without replacing",
    ),
];

/// Checks that the cases killed a process at every place that there is, but for those left out for a reason.
pub(crate) fn check_that_none_is_left_out(reports: &[Report]) {
    let all = |set: fn(&Report) -> &BTreeSet<String>| -> BTreeSet<String> {
        reports.iter().flat_map(set).cloned().collect()
    };
    let (passed, killed) = (all(|report| &report.passed), all(|report| &report.killed));
    let places = places();
    let known: BTreeSet<String> = places.iter().map(|place| place.at.clone()).collect();
    let unknown: Vec<_> = passed.difference(&known).collect();
    assert!(unknown.is_empty(), "points that the look through the sources does not find: {unknown:#?}");
    let is_left_out = |place: &Place| {
        let this = (place.file.as_str(), place.function.as_str(), place.call.as_str());
        LEFT_OUT.iter().any(|(file, function, call, _why)| this == (*file, *function, *call))
    };
    let (left_out, tried): (Vec<&Place>, Vec<&Place>) = places.iter().partition(|place| is_left_out(place));
    let missing: Vec<_> = tried.iter().filter(|place| !killed.contains(&place.at)).collect();
    assert!(missing.is_empty(), "no case kills a process here: {missing:#?}");
    assert!(left_out.len() >= LEFT_OUT.len(), "some that are left out are no places: {left_out:#?}");
    println!("{} places, {} of them left out", places.len(), left_out.len());
}

fn places() -> Vec<Place> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let files: Vec<Source> = sources(root).into_iter().map(|path| Source::read(root, &path)).collect();
    let (protocol, others): (Vec<Source>, Vec<Source>) =
        files.into_iter().partition(|file| file.name.starts_with("lib/volume/"));
    let marked: Vec<Marked> = protocol.iter().flat_map(|file| file.marked()).collect();
    assert!(marked.len() > 5, "the sources are elsewhere");
    // Other crates have this way alone.
    let point = [Marked::function("volume", "crash_point")];
    let ours = protocol.iter().flat_map(|file| file.places(&marked));
    ours.chain(others.iter().flat_map(|file| file.places(&point))).collect()
}

struct Source {
    name: String,
    module: String,
    text: String,
}

impl Source {
    fn read(root: &Path, path: &Path) -> Self {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        Source { name, module, text: fs::read_to_string(path).unwrap() }
    }

    fn marked(&self) -> Vec<Marked> {
        scan::marked(&self.module, &self.text)
    }

    fn places(&self, marked: &[Marked]) -> Vec<Place> {
        scan::places(&self.name, &self.module, &self.text, marked)
    }
}

/// All source files of the workspace, tests apart.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir()
            && !["target", "tests", "test_data", "power_cut"].contains(&name)
            && !name.starts_with('.')
        {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push(path);
        }
    }
    found
}
