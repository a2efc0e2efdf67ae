//! What the protocol promises, whatever happens.

use std::collections::BTreeSet;

use super::batch_file::BatchFile;
use super::change::{Node, ROOT};
use super::content::Content;
use super::disk::Disk;
use super::environment::Environment;
use super::stages::{ARCHIVE, STAGES};
use crate::Spec;

const FOREIGN: [&str; 2] = ["notes.txt", "listing of mine.csv"];
const REJECTED: &str = "rejected";
const FOREIGN_REJECTED: &str = "mended.txt";

/// Adds files that are nobody's business.
pub(super) fn add_foreign(disk: &mut Disk) {
    for name in FOREIGN {
        disk.hold((ROOT, name.to_owned()), Some(Content::new(name)));
    }
    let rejected = disk.hold((ROOT, REJECTED.to_owned()), None);
    disk.hold((rejected, FOREIGN_REJECTED.to_owned()), Some(Content::new(FOREIGN_REJECTED)));
}

/// What is public is whole, and what is others' is as it was.
pub(super) fn are_kept_at_any_time(disk: &Disk, environment: &Environment) -> Result<(), String> {
    let files = || environment.files.values().map(|(file, _)| file);
    for (name, node) in disk.children(ROOT) {
        let Some(stage) = stage_of(name) else { continue };
        let text = text(disk, node);
        let Some(file) = files().find(|file| !text.is_empty() && file.text(stage) == text) else {
            return Err(format!("`{name}` is not whole: {text:?}"));
        };
        let is_read_only = disk.content(node).is_some_and(|content| content.mode & 0o222 == 0);
        if !is_read_only && !file.may_be_written(stage) {
            return Err(format!("`{name}` can be written to"));
        }
    }
    for (name, text) in below(disk, ARCHIVE) {
        if !files().any(|file| file.archived().any(|archived| archived == text)) {
            return Err(format!("`{ARCHIVE}/{name}` is not whole: {text:?}"));
        }
    }
    let refusals = || files().flat_map(BatchFile::rejected);
    for (name, text) in below(disk, REJECTED) {
        let is_whole = refusals().any(|(lines, reasons)| [lines, reasons].contains(&text));
        if !is_whole && name != FOREIGN_REJECTED {
            return Err(format!("`rejected/{name}` is not whole: {text:?}"));
        }
    }
    foreign_are_kept(disk)
}

fn foreign_are_kept(disk: &Disk) -> Result<(), String> {
    for name in FOREIGN {
        if !disk.children(ROOT).any(|(found, node)| found == name && text(disk, node) == name) {
            return Err(format!("`{name}`, which is not ours, was touched"));
        }
    }
    if !below(disk, REJECTED).contains(&(FOREIGN_REJECTED.to_owned(), FOREIGN_REJECTED.to_owned())) {
        return Err(format!("`rejected/{FOREIGN_REJECTED}`, which is not ours, was touched"));
    }
    Ok(())
}

/// Nothing waits, nothing is in hand, and every record came to one end.
pub(super) fn are_kept_in_the_end(
    disk: &Disk,
    environment: &Environment,
    archives: bool,
) -> Result<(), String> {
    if let Some((name, _)) = disk.children(ROOT).find(|(name, _)| stage_of(name).is_some()) {
        return Err(format!("`{name}` still waits"));
    }
    if let Some(left) = in_hand(disk) {
        return Err(format!("`{left}` is left"));
    }
    let mut documents = BTreeSet::new();
    let (mut refused, mut archived) = (Vec::new(), Vec::new());
    for (file, must_arrive) in environment.files.values() {
        if *must_arrive || has_arrived(file, disk, environment) {
            documents.extend(file.documents());
            refused.extend(file.rejected());
            archived.extend(file.archived().filter(|_| archives));
        }
    }
    if let Some(lost) = documents.iter().find(|document| !environment.sent.contains_key(*document)) {
        return Err(format!("`{lost}` was not sent"));
    }
    if let Some(made_up) = environment.sent.keys().find(|document| !documents.contains(*document)) {
        return Err(format!("`{made_up}` was sent, and never put in"));
    }
    archived_are(disk, archived)?;
    rejected_are(disk, refused)
}

fn archived_are(disk: &Disk, mut expected: Vec<String>) -> Result<(), String> {
    let mut found: Vec<_> = below(disk, ARCHIVE).into_iter().map(|(_, text)| text).collect();
    expected.sort();
    found.sort();
    if found == expected { Ok(()) } else { Err(format!("archived are {found:?} instead of {expected:?}")) }
}

fn rejected_are(disk: &Disk, mut expected: Vec<(String, String)>) -> Result<(), String> {
    let all = below(disk, REJECTED);
    let mut found = Vec::new();
    for (name, lines) in all.iter().filter(|(name, _)| stage_of(name).is_some()) {
        let reasons = all.iter().find(|(other, _)| *other == format!("{name}.reasons"));
        found.push((lines.clone(), reasons.map(|(_, reasons)| reasons.clone()).unwrap_or_default()));
    }
    expected.sort();
    found.sort();
    if found == expected { Ok(()) } else { Err(format!("rejected are {found:?} instead of {expected:?}")) }
}

/// One that need not arrive arrives as a whole.
fn has_arrived(file: &BatchFile, disk: &Disk, environment: &Environment) -> bool {
    let rejected = below(disk, REJECTED);
    let is_rejected = |(lines, _)| rejected.iter().any(|(_, text)| *text == lines);
    file.documents().any(|document| environment.sent.contains_key(&document))
        || file.rejected().into_iter().any(is_rejected)
}

/// A claim that is left, by its stage and name.
fn in_hand(disk: &Disk) -> Option<String> {
    let below = |directory, wanted: &str| {
        disk.children(directory).find(|(name, _)| *name == wanted).map(|(_, node)| node)
    };
    let stages = below(below(ROOT, ".pipe")?, "1")?;
    disk.children(stages)
        .flat_map(|(stage, claims)| disk.children(claims).map(move |(claim, _)| format!("{stage}/{claim}")))
        .next()
}

/// The files in a directory of the data directory.
fn below(disk: &Disk, directory: &str) -> Vec<(String, String)> {
    let directory = disk.children(ROOT).find(|(name, _)| *name == directory).map(|(_, node)| node);
    let files = directory.into_iter().flat_map(|directory| disk.children(directory));
    files.map(|(name, node)| (name.to_owned(), text(disk, node))).collect()
}

/// The stage that takes files of such a name.
fn stage_of(name: &str) -> Option<usize> {
    let takes = |spec: &Spec| spec.takes().is_some_and(|format| format.parse(name.as_ref()).is_some());
    STAGES.iter().position(takes)
}

fn text(disk: &Disk, node: Node) -> String {
    disk.content(node)
        .map_or_else(String::new, |content| String::from_utf8_lossy(&content.bytes).into_owned())
}
