//! text-to-csv in a directory in which others have left what no run of ours alone brings about.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use end_to_end::{DataDir, stage};

use crate::trial::{Attempt, Case};

const LINE: &str = "-rw-r--r--    1 root     root            19 Mar 19 23:57 /f\n";
/// A self-test of 2022: nobody can be at it any more.
const OLD_ID: &str = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
/// Two batches that once were: one of which only the lock is left, and one whose input is no file.
const EMPTY: &str = "017f22e2-79b0-7cc3-98c4-dc0c0c07398e.2";
const UNFIT: &str = "017f22e2-79b0-7cc3-98c4-dc0c0c073990";

/// The case.
pub(crate) struct Leftovers;

impl Case for Leftovers {
    fn name(&self) -> String {
        "text-to-csv, leftovers".to_owned()
    }

    fn begin(&self) -> Box<dyn Attempt> {
        let data = DataDir::in_memory();
        let directory = |path: &str| {
            fs::create_dir_all(data.path().join(path)).unwrap();
            data.path().join(path)
        };
        let file = |path: PathBuf| fs::write(path, "").unwrap();
        let self_test = directory(&format!(".pipe/1/self-test/{OLD_ID}.after"));
        file(self_test.join("lock"));
        file(self_test.join("file"));
        let rejected = directory("rejected");
        file(data.path().join(format!(".self-test-{OLD_ID}")));
        file(rejected.join(format!(".self-test-{OLD_ID}")));
        file(directory(&format!(".pipe/1/text-to-csv/{EMPTY}")).join("lock"));
        file(directory(&format!(".pipe/1/text-to-csv/{UNFIT}.1/input")).join("within"));
        file(data.path().join(format!(".pipe/1/text-to-csv/{UNFIT}.1/lock")));
        data.put("listing.txt", LINE);
        Box::new(Left { data })
    }
}

struct Left {
    data: DataDir,
}

impl Attempt for Left {
    fn data(&self) -> &DataDir {
        &self.data
    }

    fn command(&self) -> Command {
        stage("text-to-csv", self.data.path(), &["--once"])
    }

    /// What is no file is given back as it is, and the rest goes its way.
    fn check(&self, _printed: &str, _crashes: usize) {
        let given_back = format!("listing-{UNFIT}.txt");
        assert_eq!(self.data.waiting("txt"), std::slice::from_ref(&given_back));
        assert!(self.data.path().join(given_back).join("within").exists());
        assert_eq!(self.data.read_all("csv"), "-rw-r--r--,1,root,root,19,Mar 19 23:57,/f\n");
        assert_eq!(self.data.rejected(), Vec::<Vec<u8>>::new());
    }
}
