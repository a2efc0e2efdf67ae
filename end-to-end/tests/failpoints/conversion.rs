//! The two converters, each with two files: the first is published under the plain name, the second under an id.

use std::fs;
use std::process::Command;

use end_to_end::{DataDir, stage};

use crate::trial::{Attempt, Case};

/// A converter's case: lines that it takes and what they become, and lines that it refuses.
pub(crate) struct Conversion {
    pub(crate) stage: &'static str,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    pub(crate) good: fn(usize) -> String,
    pub(crate) becomes: fn(usize) -> String,
    pub(crate) bad: &'static [&'static str],
}

pub(crate) const TEXT_TO_CSV: Conversion = Conversion {
    stage: "text-to-csv",
    from: "txt",
    to: "csv",
    good: |n| format!("-rw-r--r--    1 root     root            19 Mar 19 23:57 /f/{n}\n"),
    becomes: |n| format!("-rw-r--r--,1,root,root,19,Mar 19 23:57,/f/{n}\n"),
    bad: &["no record at all\n", "neither is this\n"],
};

pub(crate) const CSV_TO_JSON: Conversion = Conversion {
    stage: "csv-to-json",
    from: "csv",
    to: "json",
    good: |n| format!("-rw-r--r--,1,root,root,19,Mar 19 23:57,/f/{n}\n"),
    becomes: |n| {
        format!(
            "{{\"mod\":\"-rw-r--r--\",\"no\":\"1\",\"user\":\"root\",\"group\":\"root\",\
             \"usrno\":\"19\",\"date\":\"Mar 19 23:57\",\"file\":\"/f/{n}\"}}\n"
        )
    },
    bad: &["a field too few,1,root,root,19,Mar 19 23:57\n", "one\n"],
};

impl Case for Conversion {
    fn name(&self) -> String {
        self.stage.to_owned()
    }

    fn begin(&self) -> Box<dyn Attempt> {
        let data = DataDir::in_memory();
        let lines = [(self.good)(1), self.bad[0].to_owned(), (self.good)(2), self.bad[1].to_owned()];
        data.put(&format!("listing.{}", self.from), lines.concat());
        data.put(&format!("listing-2.{}", self.from), (self.good)(3) + &(self.good)(4));
        let Conversion { stage, from, to, becomes, bad, .. } = *self;
        Box::new(Converting { data, stage, from, to, becomes, bad })
    }
}

struct Converting {
    data: DataDir,
    stage: &'static str,
    from: &'static str,
    to: &'static str,
    becomes: fn(usize) -> String,
    bad: &'static [&'static str],
}

impl Attempt for Converting {
    fn data(&self) -> &DataDir {
        &self.data
    }

    fn command(&self) -> Command {
        stage(self.stage, self.data.path(), &["--once"])
    }

    fn check(&self, _printed: &str, _crashes: usize) {
        assert_eq!(self.data.waiting(self.from), Vec::<String>::new(), "left as it was");
        let outputs = self.data.waiting(self.to);
        assert!(outputs.len() == 2 && outputs[0] == format!("listing.{}", self.to), "{outputs:?}");
        assert_eq!(self.data.read_all(self.to), (1..=4).map(self.becomes).collect::<String>());
        let rejected: Vec<u8> = self.data.rejected().join(&b'\n');
        assert_eq!(String::from_utf8(rejected).unwrap() + "\n", self.bad.concat());
        check_reasons(&self.data, self.bad.len());
    }
}

/// Checks that each rejected file has its reasons beside it, so many in all.
pub(crate) fn check_reasons(data: &DataDir, expected: usize) {
    let mut reasons = 0;
    for entry in fs::read_dir(data.path().join("rejected")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.ends_with(".reasons") {
            assert!(path.with_extension("").exists(), "{name} stands alone");
            reasons += fs::read_to_string(&path).unwrap().lines().count();
        } else if name.starts_with("listing") {
            assert!(path.with_file_name(format!("{name}.reasons")).exists(), "{name} has no reasons");
        }
    }
    assert_eq!(reasons, expected, "reasons");
}
