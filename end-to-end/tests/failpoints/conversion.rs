//! The two converters, each with two files: the first is published under the plain name, the second under an id.

use std::fs;
use std::path::Path;
use std::process::Command;

use end_to_end::{DataDir, Packing, stage};

use crate::trial::{Attempt, Case};

/// A converter's case: lines that it takes and what they become, and lines that it refuses.
pub(crate) struct Conversion {
    pub(crate) stage: &'static str,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    pub(crate) good: fn(usize) -> String,
    pub(crate) becomes: fn(usize) -> String,
    pub(crate) bad: &'static [&'static str],
    /// Its inputs are compressed, and kept.
    pub(crate) is_packed: bool,
}

pub(crate) const TEXT_TO_CSV: Conversion = Conversion {
    stage: "text-to-csv",
    from: "txt",
    to: "csv",
    good: |n| format!("-rw-r--r--    1 root     root            19 Mar 19 23:57 /f/{n}\n"),
    becomes: |n| format!("-rw-r--r--,1,root,root,19,Mar 19 23:57,/f/{n}\n"),
    bad: &["no record at all\n", "neither is this\n"],
    is_packed: false,
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
    is_packed: false,
};

pub(crate) const PACKED: Conversion = Conversion { is_packed: true, ..TEXT_TO_CSV };

/// Where inputs are kept.
const ARCHIVE: &str = "done";

impl Case for Conversion {
    fn name(&self) -> String {
        let packed = if self.is_packed { ", packed" } else { "" };
        format!("{}{packed}", self.stage)
    }

    fn begin(&self) -> Box<dyn Attempt> {
        let data = DataDir::in_memory();
        let lines = [(self.good)(1), self.bad[0].to_owned(), (self.good)(2), self.bad[1].to_owned()];
        let inputs = [("listing", lines.concat()), ("listing-2", (self.good)(3) + &(self.good)(4))];
        let mut archived = Vec::new();
        for ((name, text), compression) in inputs.into_iter().zip(Packing::ALL) {
            if !self.is_packed {
                data.put(&format!("{name}.{}", self.from), text);
                continue;
            }
            let packed = compression.pack(text.as_bytes());
            data.put(&format!("{name}.{}{}", self.from, compression.suffix()), &packed);
            // Refused as a whole.
            let broken = &packed[..packed.len() - 1];
            data.put(&format!("{name}-broken.{}{}", self.from, compression.suffix()), broken);
            archived.push(packed);
        }
        archived.sort();
        let Conversion { stage, from, to, becomes, bad, is_packed, .. } = *self;
        Box::new(Converting { data, stage, from, to, becomes, bad, is_packed, archived })
    }
}

struct Converting {
    data: DataDir,
    stage: &'static str,
    from: &'static str,
    to: &'static str,
    becomes: fn(usize) -> String,
    bad: &'static [&'static str],
    is_packed: bool,
    /// What is kept in the end.
    archived: Vec<Vec<u8>>,
}

impl Attempt for Converting {
    fn data(&self) -> &DataDir {
        &self.data
    }

    fn command(&self) -> Command {
        let archive: &[&str] = if self.is_packed { &["--archive", ARCHIVE] } else { &[] };
        stage(self.stage, self.data.path(), &[&["--once"], archive].concat())
    }

    fn check(&self, _printed: &str, _crashes: usize) {
        assert_eq!(self.data.waiting(self.from), Vec::<String>::new(), "left as it was");
        let outputs = self.data.waiting(self.to);
        assert!(outputs.len() == 2 && outputs[0] == format!("listing.{}", self.to), "{outputs:?}");
        assert_eq!(self.data.read_all(self.to), (1..=4).map(self.becomes).collect::<String>());
        let (lines, broken) = self.rejected();
        assert_eq!(lines, self.bad.concat());
        let expected: Vec<_> =
            self.archived.iter().map(|packed| packed[..packed.len() - 1].to_vec()).collect();
        assert_eq!(broken, expected, "refused as they came");
        check_reasons(&self.data, self.bad.len() + broken.len());
        assert_eq!(contents(&self.data.path().join(ARCHIVE), |_| true), self.archived, "kept");
    }
}

impl Converting {
    /// The lines that were refused, and the files that were.
    fn rejected(&self) -> (String, Vec<Vec<u8>>) {
        let directory = self.data.path().join("rejected");
        let end = format!(".{}", self.from);
        let is_packed = |name: &str| !name.ends_with(".reasons") && !name.ends_with(&end);
        let lines = contents(&directory, |name| name.ends_with(&end)).concat();
        (String::from_utf8(lines).unwrap(), contents(&directory, is_packed))
    }
}

/// What the files in a directory hold that is wanted, in the order of that; there may be no directory.
fn contents(directory: &Path, is_wanted: impl Fn(&str) -> bool) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap());
    let wanted = entries.filter(|entry| is_wanted(entry.file_name().to_str().unwrap()));
    let mut contents: Vec<_> = wanted.map(|entry| fs::read(entry.path()).unwrap()).collect();
    contents.sort();
    contents
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
