//! Input made to choke on: the real stages reject what is hostile, hand on what is good, and stay small.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use end_to_end::{AtWork, DataDir, STAGES, Stage, wait_for};

/// No input makes a stage need more, in bytes; far less than the large inputs have, and more than three times what is
/// needed.
const MEMORY: u64 = 64 << 20;
const GIB: u64 = 1 << 30;

/// Gives a file to a stage, and one with a good line behind it. When `good` good lines, that one included, are through,
/// and nothing is in hand, memory is looked at. Returns the directory.
fn goes_through(
    stage: &Stage,
    good: usize,
    write: impl FnOnce(&mut File, &Stage) -> io::Result<()>,
) -> DataDir {
    let data = DataDir::new();
    data.put_by(&stage.file(""), |file| write(file, stage));
    data.put(&stage.file("behind"), stage.good);
    let work = AtWork::start(stage, &data);
    work.wait_for_good(good);
    wait_for("the end of the work", || data.in_hand().is_empty().then_some(()));
    let peak = work.running.peak_memory();
    eprintln!("{}: {} MiB at most", stage.name, peak >> 20);
    assert!(peak < MEMORY, "{} needed {} MiB", stage.name, peak >> 20);
    work.running.stop();
    data
}

/// Checks that the only rejected file holds this.
fn rejects(data: &DataDir, expected: impl Read) {
    let names = fs::read_dir(data.path().join("rejected")).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> =
        names.filter(|path| path.extension().is_some_and(|end| end != "reasons")).collect();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    let mut pairs = [Vec::new(), Vec::new()];
    let (mut found, mut expected) = (File::open(file).unwrap(), BufReader::new(expected));
    loop {
        pairs.iter_mut().for_each(Vec::clear);
        (&mut found).take(1 << 20).read_to_end(&mut pairs[0]).unwrap();
        (&mut expected).take(1 << 20).read_to_end(&mut pairs[1]).unwrap();
        assert!(pairs[0] == pairs[1], "it is not what was rejected");
        if pairs[0].is_empty() {
            return;
        }
    }
}

/// A hole in a file reads as bytes of nul, and takes no disk.
fn hole(file: &mut File, length: u64) -> io::Result<()> {
    let end = file.seek(SeekFrom::Current(length.cast_signed()))?;
    file.set_len(end)
}

#[test]
#[ignore = "writes gigabytes: just long"]
fn two_gib_without_a_line_feed_are_rejected_byte_for_byte() {
    // As much is written for each, so not for csv-to-json: what is too long goes by as in text-to-csv.
    for stage in STAGES.iter().filter(|stage| stage.name != "csv-to-json") {
        let data = goes_through(stage, 1, |file, _| hole(file, 2 * GIB));
        rejects(&data, io::repeat(0).take(2 * GIB).chain(&b"\n"[..]));
    }
}

#[test]
#[ignore = "writes gigabytes: just long"]
fn a_line_of_one_gib_costs_no_other_line() {
    let stages = STAGES.iter().filter(|stage| stage.name == "csv-to-json");
    for stage in stages {
        let data = goes_through(stage, 3, |file, stage| {
            file.write_all(stage.good.as_bytes())?;
            hole(file, GIB)?;
            write!(file, "\n{}", stage.good)
        });
        rejects(&data, io::repeat(0).take(GIB).chain(&b"\n"[..]));
    }
}

#[test]
fn a_million_empty_lines_are_passed_over() {
    for stage in &STAGES {
        let data = goes_through(stage, 2, |file, stage| {
            file.write_all(&b"\n".repeat(1_000_000))?;
            file.write_all(stage.good.as_bytes())
        });
        assert_eq!(data.rejected(), Vec::<Vec<u8>>::new());
    }
}

#[test]
fn quotes_without_end_are_rejected() {
    for stage in &STAGES {
        let data = goes_through(stage, 3, |file, stage| {
            file.write_all(stage.good.as_bytes())?;
            io::copy(&mut io::repeat(b'"').take(128 << 20), file)?;
            write!(file, "\n{}", stage.good)
        });
        rejects(&data, io::repeat(b'"').take(128 << 20).chain(&b"\n"[..]));
    }
}

#[test]
fn lines_of_quotes_are_rejected_one_by_one() {
    // Each opens a field that any of those behind it could close.
    let bomb =
        [b"\"\n".repeat(100_000), [b"\"".repeat(999_999), b"\n".to_vec()].concat().repeat(20)].concat();
    for stage in &STAGES {
        let data = goes_through(stage, 2, |file, stage| {
            file.write_all(&bomb)?;
            file.write_all(stage.good.as_bytes())
        });
        rejects(&data, &bomb[..]);
    }
}

#[test]
fn lines_that_are_no_text_are_rejected_between_good_ones() {
    let bad = b"\0\n\xff\xfe\n\xc3\n\xed\xa0\x80\n\x80\0\x1b[2J\n\xf4\x90\x80\x80\n";
    for stage in &STAGES {
        let data = goes_through(stage, 3, |file, stage| {
            file.write_all(&[stage.good.as_bytes(), bad, stage.good.as_bytes()].concat())
        });
        rejects(&data, &bad[..]);
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_listing_and_no_json() {
    for stage in &STAGES {
        let marked = format!("\u{feff}{}", stage.good);
        let is_json = stage.output.is_empty();
        let data =
            goes_through(stage, if is_json { 1 } else { 2 }, |file, _| file.write_all(marked.as_bytes()));
        assert_eq!(data.rejected().len(), usize::from(stage.sends()));
    }
}

#[test]
fn a_file_in_utf_16_is_rejected_as_a_whole() {
    for stage in &STAGES {
        let text = format!("\u{feff}{0}{0}", stage.good);
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            let file: Vec<u8> = text.encode_utf16().flat_map(bytes).collect();
            let data = goes_through(stage, 1, |to, _| to.write_all(&file));
            // The last line has no line feed, or half of one behind it.
            let end = if file.ends_with(b"\n") { &b""[..] } else { b"\n" };
            rejects(&data, [&file, end].concat().as_slice());
        }
    }
}

#[test]
fn reasons_take_no_more_room_than_what_was_rejected() {
    let bad = b"x\n".repeat(200_000);
    for stage in &STAGES {
        let data = goes_through(stage, 1, |file, _| file.write_all(&bad));
        rejects(&data, &bad[..]);
        let files = fs::read_dir(data.path().join("rejected")).unwrap().map(|entry| entry.unwrap().path());
        let reasons = files.filter(|path| path.extension().is_some_and(|end| end == "reasons"));
        let sizes: Vec<u64> = reasons.map(|path| fs::metadata(path).unwrap().len()).collect();
        assert!(sizes.len() == 1 && (1..=bad.len() as u64).contains(&sizes[0]), "{}: {sizes:?}", stage.name);
    }
}
