//! A file that a power cut left under several names.
//!
//! Where a rename is not one unit (Btrfs: see [`FileSystem`](crate::fs::FileSystem)), the new name of a file may survive a
//! cut beside the old one. Of several names the one counts that the file got last: it is an output, then it is public, then
//! the input of a claim. Only a claim that nobody began on has a public name besides, so that there the public one counts:
//! whoever takes it begins anew. All other names are void: [`standing`] says so of one, and removes those before it.
//! Names that others gave to a file of theirs are of no concern, but for two public names of one stem: these may count as
//! one file after the owner of one left it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::claim_directory::{self, ClaimDirectory, INPUT, OUTPUT};
use crate::complete::{self, Look};
use crate::error::{Context, Error};
use crate::fs;
use crate::names::{ClaimName, Format};
use crate::take_over;
use crate::volume::{Volume, private};

/// What a name of a file is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is the only one, or the one that counts.
    Counts,
    /// The file has a later name.
    Void,
    /// The file has an earlier name, which somebody has in hand: who he is removes it.
    Unsettled,
}

/// A name of a file's, in the order in which they come to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Output,
    /// Given back and taken again, it was in a younger claim last.
    Input(uuid::Uuid),
    Public,
}

/// Says what a file's name is worth; `format` is that of its public names. It costs nothing where no file gets two names,
/// and little where this one has no other.
pub(crate) fn standing(volume: &Volume, path: &Path, format: Format) -> Result<Standing, Error> {
    if volume.renames_as_one() {
        return Ok(Standing::Counts);
    }
    #[cfg(test)]
    if BLIND.get() {
        return Ok(Standing::Counts);
    }
    let file = match fs::look(path).act("look at", path)? {
        Some(file) if file.is_file() && file.nlink() > 1 => file,
        _ => return Ok(Standing::Counts),
    };
    let names = names(volume, path, &file, format)?;
    let Some(own) = names.iter().find(|(_, name)| name == path).map(|(rank, _)| *rank) else {
        return Ok(Standing::Counts);
    };
    if names.iter().any(|(rank, _)| *rank > own) {
        return Ok(Standing::Void);
    }
    let mut standing = Standing::Counts;
    for (_, name) in names.iter().filter(|(rank, _)| *rank < own) {
        tracing::warn!(name = %name.display(), counts = %path.display(), "a power cut left a file under two names");
        if !remove(name)? {
            standing = Standing::Unsettled;
        }
    }
    Ok(standing)
}

#[cfg(test)]
thread_local! {
    /// Whether this thread takes every name for the only one.
    pub(crate) static BLIND: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Returns whether two names are of one file, where a power cut may have left two.
pub(crate) fn is_same(volume: &Volume, one: &Path, other: &Path) -> bool {
    if volume.renames_as_one() {
        return false;
    }
    match (fs::look(one), fs::look(other)) {
        (Ok(Some(one)), Ok(Some(other))) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

/// Looks at a file; as long as an earlier name of it is in somebody's hand, it is not complete.
pub(crate) fn look(volume: &Volume, path: &Path, format: Format) -> std::io::Result<Look> {
    let look = complete::look(path, volume.has_leases())?;
    if !matches!(look, Look::Written(_) | Look::Unknown(_)) {
        return Ok(look);
    }
    let standing = standing(volume, path, format).map_err(Error::into_io)?;
    Ok(if standing == Standing::Unsettled { Look::BeingWritten } else { look })
}

/// This name of a file, and all others that its worth depends on.
fn names(
    volume: &Volume,
    path: &Path,
    file: &Metadata,
    format: Format,
) -> Result<Vec<(Rank, PathBuf)>, Error> {
    let (mut found, is_public) = (Vec::new(), path.parent() == Some(volume.root()));
    let mut add = |rank, path: PathBuf| {
        // One that is gone meanwhile is none.
        if let Ok(Some(other)) = fs::look(&path)
            && (other.dev(), other.ino()) == (file.dev(), file.ino())
        {
            found.push((rank, path));
        }
    };
    if is_public {
        // None comes to count later, and of its other public names each counts for itself.
        add(Rank::Public, path.to_owned());
    } else {
        let public = fs::names(volume.root()).act("read directory", volume.root())?;
        for name in public.iter().filter(|name| format.parse(name).is_some()) {
            add(Rank::Public, volume.root().join(name));
        }
    }
    let private = private(volume.root());
    for stage in fs::names(&private).act("read directory", &private)? {
        // No cut gives a file a name of another stem: whoever gave it two wants it twice.
        if !format.is_of_stem(&stage) {
            continue;
        }
        let claims = private.join(stage);
        for claim in fs::names(&claims).unwrap_or_default() {
            let Some(name) = ClaimName::parse(&claim) else { continue };
            let directory = ClaimDirectory::new(claims.join(claim));
            for file in directory.files().unwrap_or_default() {
                match claim_directory::kind(&file) {
                    OUTPUT => add(Rank::Output, directory.join(&file)),
                    INPUT => add(Rank::Input(name.batch), directory.join(&file)),
                    _ => {}
                }
            }
        }
    }
    Ok(found)
}

/// Removes a name from a claim that nobody has in hand; returns whether it is gone.
fn remove(name: &Path) -> Result<bool, Error> {
    let (Some(directory), Some(file)) = (name.parent(), name.file_name()) else { return Ok(false) };
    let Some(_lock) = take_over::lock_orphan(directory)? else { return Ok(false) };
    match ClaimDirectory::new(directory.to_owned()).make_void(&file.to_string_lossy()) {
        Err(error) if error.is_fenced() => Ok(false),
        done => done.map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::Spec;
    use crate::fs::FileSystem;
    use crate::self_test::Abilities;

    #[test]
    fn a_file_that_somebody_gave_two_stems_is_left_to_both() {
        let directory = tempfile::tempdir().unwrap();
        let as_on_btrfs = FileSystem { is_local: true, renames_as_one: false };
        let limit = |found| Abilities { file_system: as_on_btrfs, ..found };
        let volume = Volume::limited(directory.path(), limit).unwrap();
        let claim = private(directory.path()).join("copy.a").join(format!("{}.1", uuid::Uuid::now_v7()));
        fs::create_dir_all(&claim).unwrap();
        fs::write(claim.join("lock"), "").unwrap();
        fs::write(claim.join(INPUT), "x").unwrap();
        for (stem, is_left) in [("b", true), ("a", false)] {
            let public = directory.path().join(format!("{stem}.txt"));
            fs::hard_link(claim.join(INPUT), &public).unwrap();
            let spec = Spec { name: "copy", stem, input: Some("txt"), output: None };
            assert_eq!(standing(&volume, &public, spec.takes().unwrap()).unwrap(), Standing::Counts);
            assert_eq!(claim.join(INPUT).exists(), is_left, "the orphan's, of stem a, beside {stem}.txt");
        }
    }
}
