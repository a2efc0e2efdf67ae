//! Where the protocol asks for a sync or a rename.

use std::fmt;
use std::panic::Location;
use std::path::Path;

use super::directory::Directory;
use crate::fs::Call;

/// A place in the code, and what it syncs or renames: a loop over two files counts twice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Site {
    at: &'static Location<'static>,
    act: &'static str,
    what: String,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Site { at, act, what } = self;
        write!(f, "{}:{} {act} `{what}`", at.file(), at.line())
    }
}

impl Site {
    /// `None` for all that is neither a sync nor a rename.
    pub(super) fn of(call: Call<'_>, at: &'static Location<'static>, directory: &Directory) -> Option<Self> {
        let what = match call {
            Call::Sync(file) | Call::SyncData(file) => stem(directory.name(directory.file(file)?)),
            Call::SyncDirectory(path) | Call::Rename { from: path, .. } => kind(path, directory.root()),
            _ => return None,
        };
        Some(Site { at, act: call.act(), what })
    }

    /// Whether this source file asks, of something of this kind.
    pub(super) fn is(&self, (file, what): (&str, &str)) -> bool {
        self.at.file().ends_with(file) && self.what == what
    }

    /// Whether this source file asks.
    pub(super) fn is_in(&self, file: &str) -> bool {
        self.at.file().ends_with(file)
    }

    /// Whether the self-test asks: it deletes what it makes, and no file depends on it.
    pub(super) fn is_self_test(at: &Location<'_>) -> bool {
        at.file().ends_with("self_test.rs")
    }
}

/// What every file of a kind is called, whichever the batch and the owner.
fn stem(name: &str) -> String {
    let (stem, _) = name.split_once(['.', '-']).unwrap_or((name, ""));
    stem.to_owned()
}

fn kind(path: &Path, root: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    let names: Vec<_> = below.iter().map(|name| name.to_string_lossy()).collect();
    match names.iter().map(AsRef::as_ref).collect::<Vec<_>>()[..] {
        [] => "the data directory".to_owned(),
        [".pipe", "1", _] => "a stage's directory".to_owned(),
        [".pipe", "1", _, _] => "a claim".to_owned(),
        [".pipe", "1", _, _, file] => stem(file),
        [directory @ ("rejected" | "archive"), _, ..] => directory.to_owned(),
        [public] if public.starts_with("listing") => stem(public),
        _ => below.display().to_string(),
    }
}
