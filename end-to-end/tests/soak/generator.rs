//! Who drops files: listings of random size at every stage, some of them with bad lines; and getdata.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, SystemTime};

use end_to_end::{Outcome, Token, stage};

use crate::environment::Environment;
use crate::process::Process;
use crate::proxy::REFUSED;

/// With so many files waiting, none is dropped.
const BACKLOG: usize = 40;
/// The longest file, in lines; most are far shorter.
const LONGEST: f64 = 2_000.0;
/// The number of the first tree: files have lower ones.
const TREES: u32 = 500_000;
/// The tree that is listed at the end.
pub(crate) const LAST: u32 = 999_999;

/// Drops files until the end.
pub(crate) fn drop_files(environment: &Environment, mut random: fastrand::Rng) {
    let mut number = 0;
    while !environment.is_over() {
        environment.rest(&mut random, 100..1_200);
        if environment.waiting() > BACKLOG {
            environment.figures.count("pauses for a backlog");
            continue;
        }
        number += 1;
        let extension = ["txt", "txt", "txt", "csv", "json"][random.usize(..5)];
        let content = content(environment, number, extension, &mut random);
        let _well = environment.disk_is_well.read().unwrap();
        if random.u8(..3) == 0 {
            write_slowly(environment, &format!("listing-{number:06}.{extension}"), &content, &mut random);
        } else {
            put(environment, number, extension, &content, &mut random);
        }
    }
}

/// A file's lines, each in the books.
fn content(environment: &Environment, file: u32, extension: &str, random: &mut fastrand::Rng) -> String {
    // Most are short, some are long.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and LONGEST")]
    let lines = 1 + (random.f64().powi(3) * LONGEST) as u32;
    let is_bad = random.u8(..4) == 0;
    if is_bad {
        environment.figures.count("files with bad lines");
    }
    let mut content = String::new();
    for token in (0..lines).map(|record| Token { file, record }) {
        let kind = if is_bad { random.u8(..12) } else { 12 };
        let outcome = if kind < 2 { Outcome::Rejected } else { Outcome::Delivered };
        environment.ledger.expect(token, outcome);
        content += &match kind {
            0 => format!("{token}\n"),
            1 => good(extension, &format!("{REFUSED}{token}")),
            2 => format!("\n{}", good(extension, &format!("/taken/{token}"))),
            _ => good(extension, &format!("/taken/{token}")),
        };
    }
    content
}

fn good(extension: &str, path: &str) -> String {
    match extension {
        "txt" => format!("-rw-r--r--    1 root     root            19 Mar 19 23:57 {path}\n"),
        "csv" => format!("-rw-r--r--,1,root,root,19,Mar 19 23:57,{path}\n"),
        _ => format!("{{\"mod\":\"-rw-r--r--\",\"file\":\"{path}\"}}\n"),
    }
}

/// Drops a file by rename, under the plain name where that is free; some come from a clock that is wrong.
fn put(environment: &Environment, number: u32, extension: &str, content: &str, random: &mut fastrand::Rng) {
    const YEARS: u64 = 365 * 24 * 3600;
    let (now, years) = (SystemTime::now(), Duration::from_secs(random.u64(1..50) * YEARS));
    let modified = [now - years, now + years].into_iter().nth(random.usize(..8)).unwrap_or(now);
    if modified != now {
        environment.figures.count("files of a wrong clock");
    }
    environment.figures.count("files dropped by rename");
    let plain = format!("listing.{extension}");
    if random.bool() || !environment.data.put_new(&plain, content, modified) {
        let name = format!("listing-{number:06}.{extension}");
        assert!(environment.data.put_new(&name, content, modified), "{name} is no one else's");
    }
}

/// Writes a file in place, in pieces that end anywhere.
fn write_slowly(environment: &Environment, name: &str, content: &str, random: &mut fastrand::Rng) {
    let mut file = File::create_new(environment.data.path().join(name)).unwrap();
    for piece in content.as_bytes().chunks(content.len() / random.usize(1..10) + 1) {
        file.write_all(piece).unwrap();
        environment.rest(random, 1..60);
    }
    environment.figures.count("files written slowly in place");
}

/// Lists trees with getdata until the end; some of its runs are killed.
pub(crate) fn list_trees(environment: &Environment, mut random: fastrand::Rng) {
    for number in TREES.. {
        if environment.is_over() {
            return;
        }
        environment.rest(&mut random, 500..3_000);
        list_a_tree(environment, number, Some(&mut random));
    }
}

/// Makes a tree of files, and lists it; whoever draws may kill getdata at any time.
pub(crate) fn list_a_tree(environment: &Environment, number: u32, random: Option<&mut fastrand::Rng>) {
    let token = |record| Token { file: number, record };
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join(token(0).to_string());
    std::fs::create_dir(&root).unwrap();
    let records = 1 + u32::from(number as u8);
    for record in 1..records {
        File::create(root.join(token(record).to_string())).unwrap();
    }
    let command = stage("getdata", environment.data.path(), &["--root", root.to_str().unwrap()]);
    let mut getdata = Process::start("getdata", command, environment.logs.path().join("getdata"));
    if let Some(kill_after) = random.and_then(|random| (random.u8(..4) == 0).then(|| random.u64(..30))) {
        // Not to win a race: anywhere in its short life will do.
        std::thread::sleep(Duration::from_millis(kill_after));
        if getdata.ended().is_none() {
            getdata.kill();
            environment.figures.count("kills of getdata");
        }
    }
    let status = end_to_end::wait_for("getdata's end", || getdata.ended());
    environment.figures.count("listings by getdata");
    let outcome = if status.success() { Outcome::Delivered } else { Outcome::Perhaps };
    (0..records).for_each(|record| environment.ledger.expect(token(record), outcome));
}
