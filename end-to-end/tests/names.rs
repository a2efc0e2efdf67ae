//! Any file name at all, from the file system to the document.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;

use end_to_end::{DataDir, decode, run, stage};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

/// Names as they come, and names made of what is awkward somewhere on the way.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let awkward = prop::sample::select(vec![
        &b" -> "[..],
        b"\\",
        b"\n",
        b"\r",
        b"\"",
        b",",
        b" ",
        b"\xff",
        b"\xc3\xa9",
        b"\xe2\x80\xa8",
        b"\xc2\x85",
        b"\\n",
        b"\x7f",
        b"a",
        b"0",
    ]);
    let made = vec(awkward, 1..8).prop_map(|parts| parts.concat());
    prop_oneof![vec(1..=255_u8, 1..40), made].prop_map(|mut name| {
        name.retain(|&byte| byte != b'/');
        name
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn different_names_stay_different_and_valid_at_every_step(names in btree_set(name(), 1..60)) {
        let names: BTreeSet<Vec<u8>> =
            names.into_iter().filter(|name| !matches!(name.as_slice(), b"" | b"." | b"..")).collect();
        let (data, tree) = (DataDir::new(), tempfile::tempdir().unwrap());
        for name in &names {
            File::create(tree.path().join(OsStr::from_bytes(name))).unwrap();
        }
        run(&mut stage("getdata", data.path(), &["--root", tree.path().to_str().unwrap()]));
        let listing = data.read_all("txt");
        prop_assert_eq!(listing.lines().count(), names.len() + 1, "a line an entry, the root included");

        run(&mut stage("text-to-csv", data.path(), &["--once"]));
        let csv = data.read_all("csv");
        run(&mut stage("csv-to-json", data.path(), &["--once"]));
        let json = data.read_all("json");
        prop_assert_eq!(data.rejected(), Vec::<Vec<u8>>::new());

        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
        let records: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
        let documents: Vec<serde_json::Value> =
            json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        prop_assert_eq!(records.len(), names.len() + 1);
        prop_assert_eq!(documents.len(), names.len() + 1);
        let root = format!("{}/", tree.path().display());
        let mut seen = BTreeSet::new();
        for ((line, record), document) in listing.lines().zip(&records).zip(&documents) {
            let file = document["file"].as_str().unwrap();
            prop_assert_eq!(&record[6], file);
            let end = format!(" {file}");
            prop_assert!(line.ends_with(&end));
            if let Some(name) = file.strip_prefix(&root) {
                prop_assert!(seen.insert(decode(name)), "two entries became one");
            }
        }
        prop_assert_eq!(seen, names, "the names themselves are told");
    }
}
