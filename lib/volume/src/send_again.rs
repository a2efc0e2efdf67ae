//! What was refused, once more: from `rejected/` back among the files that wait.

use std::fs::Metadata;
use std::io::ErrorKind;

use uuid::Uuid;

use crate::error::{Context, Error};
use crate::view::{reasons, rejected_path};
use crate::volume::Volume;
use crate::{Spec, fs, publish};

impl Volume {
    /// Moves a file that the stage refused back among those that wait for it, by one rename, never over another file, and
    /// deletes the reasons beside it: it is what a person's `mv` does. A power cut
    /// meanwhile leaves it where it was or where it goes, and in both places where a rename is not one unit. Returns the name under which it waits; `None` where
    /// no regular file of that name was refused, or somebody else has moved it.
    ///
    /// # Errors
    /// The volume failed. Where the rename was made, the file waits all the same.
    pub fn send_again(&self, spec: Spec, name: &str) -> Result<Option<String>, Error> {
        let Some(format) = spec.takes() else { return Ok(None) };
        let Some(path) = rejected_path(self.root(), Some(format), name) else { return Ok(None) };
        let is_there =
            || Ok(fs::look(&path).act("look at", &path)?.is_some_and(|found: Metadata| found.is_file()));
        if !is_there()? {
            return Ok(None);
        }
        let published = match publish::publish(self, &path, format, Uuid::now_v7()) {
            Err(error) if !is_there()? => {
                tracing::debug!(%error, "somebody else was faster");
                return Ok(None);
            }
            published => published?,
        };
        if !self.renames_as_one()
            && let Some(directory) = path.parent()
        {
            fs::sync_directory(directory).act("sync directory", directory)?;
        }
        let reasons = reasons(&path);
        match fs::unlink(&reasons) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            gone => gone.act("delete", &reasons)?,
        }
        Ok(Some(published))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const SPEC: Spec = Spec { name: "test", stem: "listing", input: Some("csv"), output: Some("json") };

    fn volume(directory: &Path) -> Volume {
        let volume = Volume::open(directory).unwrap();
        std::fs::write(directory.join("rejected/listing-1.csv"), "a,b\n").unwrap();
        std::fs::write(directory.join("rejected/listing-1.csv.reasons"), "1: no\n").unwrap();
        volume
    }

    #[test]
    fn a_refused_file_waits_again_once_and_its_reasons_are_gone() {
        let directory = tempfile::tempdir().unwrap();
        let volume = volume(directory.path());
        let name = volume.send_again(SPEC, "listing-1.csv").unwrap().unwrap();
        assert_eq!(name, "listing.csv");
        assert_eq!(std::fs::read_to_string(directory.path().join(name)).unwrap(), "a,b\n");
        assert_eq!(std::fs::read_dir(directory.path().join("rejected")).unwrap().count(), 0);
        assert_eq!(volume.send_again(SPEC, "listing-1.csv").unwrap(), None);
        assert_eq!(volume.waiting(SPEC).unwrap(), 1);
    }

    #[test]
    fn nothing_that_waits_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let volume = volume(directory.path());
        std::fs::write(directory.path().join("listing.csv"), "first\n").unwrap();
        let name = volume.send_again(SPEC, "listing-1.csv").unwrap().unwrap();
        assert!(name.starts_with("listing-"), "{name}");
        assert_eq!(std::fs::read_to_string(directory.path().join("listing.csv")).unwrap(), "first\n");
    }

    #[test]
    fn no_name_leads_elsewhere_and_nothing_but_a_file_is_moved() {
        let directory = tempfile::tempdir().unwrap();
        let volume = volume(directory.path());
        let rejected = directory.path().join("rejected");
        std::os::unix::fs::symlink("listing-1.csv", rejected.join("listing-link.csv")).unwrap();
        std::fs::create_dir(rejected.join("listing-directory.csv")).unwrap();
        for name in [
            "listing-link.csv",
            "listing-directory.csv",
            "listing-1.csv.reasons",
            "listing-1.json",
            "../listing.csv",
            "../rejected/listing-1.csv",
            "/etc/passwd",
            "",
        ] {
            assert_eq!(volume.send_again(SPEC, name).unwrap(), None, "{name}");
        }
        assert_eq!(volume.waiting(SPEC).unwrap(), 0);
    }
}
