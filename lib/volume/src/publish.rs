//! Moving a finished file to a public name: whole or not at all, and never over another file.

use std::io::{self, ErrorKind};
use std::path::Path;

use uuid::Uuid;

use crate::error::{Context, Error};
use crate::fs;
use crate::names::{Format, PublicName, id_behind};
use crate::volume::Volume;

/// Every id is the batch's own: more than a few tries are a file system that does not tell the truth.
const ATTEMPTS: usize = 100;

/// Renames, replacing what has the name; after a failure both names are looked at.
#[track_caller]
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    moved(from, to, fs::rename(from, to))
}

/// Settles what a rename did that reported a failure: on a network file system it may have happened.
///
/// An owner whose claim was taken over can be told that it published what the new owner did: it learns better at its
/// next step, the claim's directory being gone.
pub(crate) fn moved(from: &Path, to: &Path, renamed: io::Result<()>) -> io::Result<()> {
    let Err(error) = renamed else { return Ok(()) };
    match (fs::look(from), fs::look(to)) {
        (Ok(None), Ok(Some(_))) if error.kind() != ErrorKind::AlreadyExists => Ok(()),
        _ => Err(error),
    }
}

/// Moves a synced, read-only file into the data directory under the next free name, and returns that name.
pub(crate) fn publish(volume: &Volume, from: &Path, format: Format, batch: Uuid) -> Result<String, Error> {
    let mut may_be_plain = volume.can_rename_without_replacing();
    for _ in 0..ATTEMPTS {
        let name = next_name(volume, format, batch, may_be_plain)?;
        let file_name = format.file_name(&name);
        let to = volume.root().join(&file_name);
        let no_replace = volume.can_rename_without_replacing();
        let renamed = volume.renaming(format, &name, || {
            let renamed = if no_replace {
                volume.rename_no_replace(from, &to)
            } else {
                // The name is the batch's own, so that nothing of that name can be replaced.
                fs::rename(from, &to)
            };
            moved(from, &to, renamed)
        });
        match renamed {
            // Another publisher took the plain name since we looked.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => may_be_plain = false,
            // Without that only the batch's own name is known to be free.
            Err(error) if no_replace && fs::is_unsupported(&error) => may_be_plain = false,
            done => {
                done.act("publish", &to)?;
                fs::sync_directory(volume.root()).act("sync directory", volume.root())?;
                return Ok(file_name);
            }
        }
    }
    Err(io::Error::from(ErrorKind::AlreadyExists)).act("find a free name for", from)
}

/// The plain name where nothing waits, else an id behind all that wait.
fn next_name(volume: &Volume, format: Format, batch: Uuid, may_be_plain: bool) -> Result<PublicName, Error> {
    let last = volume.last_name(format)?;
    if last.is_none() && may_be_plain {
        return Ok(PublicName::default());
    }
    let greatest = last.and_then(|name| name.id);
    let id = id_behind(batch, greatest.as_deref()).unwrap_or_else(|| {
        tracing::warn!(
            greatest,
            "no id sorts behind the greatest one waiting: the next file will be taken before it"
        );
        batch.to_string()
    });
    Ok(PublicName::with_id(id))
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;
    use crate::{Fallback, Spec};

    const SPEC: Spec = Spec { name: "test", stem: "listing", input: None, output: Some("csv") };

    fn file(directory: &Path, name: &str) -> std::path::PathBuf {
        let path = directory.join(name);
        std::fs::write(&path, name).unwrap();
        path
    }

    #[test]
    fn without_the_way_not_to_replace_every_file_gets_an_id_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let volume = Volume::with(directory.path(), false, true).unwrap();
        for output in ["first", "second"] {
            let (output, batch) = (file(directory.path(), output), Uuid::now_v7());
            let name = publish(&volume, &output, SPEC.gives().unwrap(), batch).unwrap();
            assert_eq!(name, format!("listing-{batch}.csv"));
        }
        assert_eq!(volume.waiting(SPEC).unwrap(), 2);
    }

    #[test]
    fn a_rename_without_replacing_that_fails_in_use_is_not_asked_for_again() {
        for error in [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP] {
            let directory = tempfile::tempdir().unwrap();
            let volume = Volume::open(directory.path()).unwrap();
            fs::NO_REPLACE_FAILS.set(Some(error));
            let (output, batch) = (file(directory.path(), "output"), Uuid::now_v7());
            let published = publish(&volume, &output, SPEC.gives().unwrap(), batch);
            fs::NO_REPLACE_FAILS.set(None);
            assert_eq!(published.unwrap(), format!("listing-{batch}.csv"));
            assert_eq!(volume.fallbacks().first(), Some(&Fallback::OwnNames), "it is known from now on");
        }
    }

    #[test]
    fn a_file_system_without_modes_is_published_on_all_the_same() {
        for error in [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::PERM] {
            let directory = tempfile::tempdir().unwrap();
            let volume = Volume::open(directory.path()).unwrap();
            let mut draft = volume.begin_draft(SPEC).unwrap();
            std::io::Write::write_all(&mut draft.output, b"x").unwrap();
            fs::CHANGE_MODE_FAILS.set(Some(error));
            let published = draft.publish();
            fs::CHANGE_MODE_FAILS.set(None);
            assert_eq!(published.unwrap().as_deref(), Some("listing.csv"), "{error}");
        }
    }

    #[test]
    fn a_rename_is_judged_by_both_names_and_not_by_what_it_reports() {
        let directory = tempfile::tempdir().unwrap();
        let (here, gone) = (file(directory.path(), "here"), directory.path().join("gone"));
        let failed = || Err(io::Error::from(ErrorKind::NotFound));
        assert!(moved(&gone, &here, failed()).is_ok(), "it happened");
        assert!(moved(&here, &gone, failed()).is_err(), "it did not");
        assert!(moved(&gone, &gone, failed()).is_err(), "the claim was taken over");
        assert!(moved(&here, &here, Err(ErrorKind::AlreadyExists.into())).is_err(), "the name is taken");
    }
}
