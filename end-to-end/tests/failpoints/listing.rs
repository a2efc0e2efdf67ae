//! getdata, twice: the directory is empty, or a listing waits already.

use std::fs::{self, File};
use std::process::Command;

use end_to_end::{DataDir, stage};
use tempfile::TempDir;

use crate::trial::{Attempt, Case};

/// What waits already.
const WAITING: &str = "-rw-r--r--    1 root     root            19 Mar 19 23:57 /waiting\n";
const FILES: [&str; 3] = ["one", "two", "three"];

/// getdata's case.
pub(crate) struct Listing {
    pub(crate) one_waits: bool,
}

impl Case for Listing {
    fn name(&self) -> String {
        format!("getdata{}", if self.one_waits { ", one waits" } else { "" })
    }

    fn begin(&self) -> Box<dyn Attempt> {
        let (data, root) = (DataDir::in_memory(), tempfile::tempdir().unwrap());
        for name in FILES {
            File::create(root.path().join(name)).unwrap();
        }
        if self.one_waits {
            data.put("listing.txt", WAITING);
        }
        Box::new(ListingRoot { data, root, one_waits: self.one_waits })
    }
}

struct ListingRoot {
    data: DataDir,
    root: TempDir,
    one_waits: bool,
}

impl Attempt for ListingRoot {
    fn data(&self) -> &DataDir {
        &self.data
    }

    fn command(&self) -> Command {
        stage("getdata", self.data.path(), &["--root", self.root.path().to_str().unwrap()])
    }

    /// A listing that was finished is published, one that was not is deleted; none is ever half.
    fn check(&self, _printed: &str, crashes: usize) {
        let mut names = self.data.waiting("txt");
        assert_eq!(names[0], "listing.txt");
        if self.one_waits {
            assert_eq!(fs::read_to_string(self.data.path().join(names.remove(0))).unwrap(), WAITING);
        }
        assert!((1..=1 + crashes).contains(&names.len()), "{names:?} after {crashes} crashes");
        for name in names {
            let listing = fs::read_to_string(self.data.path().join(&name)).unwrap();
            let ends = |name: &str| listing.lines().filter(|line| line.ends_with(name)).count() == 1;
            let root = self.root.path().display();
            let is_whole =
                FILES.iter().all(|file| ends(&format!(" {root}/{file}"))) && ends(&format!(" {root}"));
            assert!(is_whole && listing.lines().count() == FILES.len() + 1, "{name}: {listing}");
        }
        assert_eq!(self.data.rejected(), Vec::<Vec<u8>>::new());
    }
}
