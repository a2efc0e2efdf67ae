//! This machine's `/usr/share` through the whole chain, against what `find` says of it.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test ends at the first surprise, and plays the people who drop files"
)]

use std::collections::{BTreeMap, HashSet};
use std::process::Command;

use end_to_end::{DataDir, Recorder, decode, run, stage};

const ROOT: &str = "/usr/share";

/// What find says of an entry, in the words of a document; the date with and without its year.
#[derive(Debug, PartialEq)]
struct Entry {
    mode: String,
    links: String,
    user: String,
    group: String,
    size: String,
    dates: [String; 2],
    target: Vec<u8>,
}

/// Asks GNU find, which shares no code with us; by path.
fn found() -> BTreeMap<Vec<u8>, Entry> {
    let format = r"%M\0%n\0%u\0%g\0%s\0%Tb %Td %TH:%TM\0%Tb %Td  %TY\0%l\0%p\0";
    let output =
        run(Command::new("find").args([ROOT, "-printf", format]).env("TZ", "UTC").env("LC_ALL", "C"));
    let fields: Vec<&[u8]> = output.stdout.split(|&b| b == 0).collect();
    let text = |field: &[u8]| String::from_utf8(field.to_vec()).unwrap();
    // ls prints a blank where find prints a day's zero.
    let date = |field: &[u8]| match text(field) {
        date if date[4..].starts_with('0') => date.replacen(" 0", "  ", 1),
        date => date,
    };
    // busybox cuts names of users and groups to 8 bytes.
    let owner = |field: &[u8]| text(&field[..field.len().min(8)]);
    let entries = fields.chunks_exact(9).map(|f| {
        let entry = Entry {
            mode: text(f[0]),
            links: text(f[1]),
            user: owner(f[2]),
            group: owner(f[3]),
            size: text(f[4]),
            dates: [date(f[5]), date(f[6])],
            target: f[7].to_vec(),
        };
        (f[8].to_vec(), entry)
    });
    entries.collect()
}

#[test]
fn every_entry_of_usr_share_arrives_once_and_as_stat_sees_it() {
    let (data, api) = (DataDir::new(), Recorder::start());
    let mut found = found();
    run(&mut stage("getdata", data.path(), &["--root", ROOT]));
    run(&mut stage("text-to-csv", data.path(), &["--once"]));
    run(&mut stage("csv-to-json", data.path(), &["--once"]));
    run(&mut stage("json-to-api", data.path(), &["--once", "--api-url", &api.url(), "--log-docs", "false"]));
    let posts = api.posts();
    assert_eq!(posts.len(), found.len());
    assert_eq!(data.rejected(), Vec::<Vec<u8>>::new());
    assert_eq!(data.in_hand(), Vec::<std::path::PathBuf>::new());
    let keys: HashSet<&str> = posts.iter().map(|post| post.key.as_str()).collect();
    assert_eq!(keys.len(), posts.len(), "a key was used twice");
    for post in &posts {
        check(&post.body, &mut found);
    }
    assert_eq!(found, BTreeMap::new(), "these were left out");
}

/// Checks a document, and takes its entry away: each arrives once.
fn check(document: &[u8], found: &mut BTreeMap<Vec<u8>, Entry>) {
    let document: serde_json::Value = serde_json::from_slice(document).unwrap();
    let field = |name: &str| document[name].as_str().unwrap().to_owned();
    let file = field("file");
    let is_link = field("mod").starts_with('l');
    // The first arrow: no name there has one.
    let (path, target) = if is_link { file.split_once(" -> ").unwrap() } else { (file.as_str(), "") };
    let path = decode(path);
    let Some(entry) = found.remove(&path) else { panic!("{file}: twice, or not there") };
    assert!(entry.dates.contains(&field("date")), "{file}: {} is none of {:?}", field("date"), entry.dates);
    let told = Entry {
        mode: field("mod"),
        links: field("no"),
        user: field("user"),
        group: field("group"),
        size: field("usrno"),
        dates: entry.dates.clone(),
        target: decode(target),
    };
    assert_eq!(told, entry, "{file}");
}
