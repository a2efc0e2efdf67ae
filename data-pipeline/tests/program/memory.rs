//! Ten million records, and records of many megabytes.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::iter;
use std::time::Instant;

use wait4::Wait4 as _;

use crate::Place;

const RECORDS: u64 = 10_000_000;
const LIMIT: u64 = 512 << 20;

/// Together more than the table engine may hold.
const LONG_RECORDS: usize = 200;
const LONG_TEXT: usize = 1_000_000;

/// Most of it is no report's business, and yet all of it is read, judged, sorted and counted.
#[test]
fn long_texts_take_no_more_memory_than_many_short_ones() {
    let place = Place::new();
    let path = place.path("a.jsonl");
    let mut rows = BufWriter::new(File::create(&path).unwrap());
    let mut random = fastrand::Rng::with_seed(1);
    let text: String = iter::repeat_with(|| random.alphanumeric()).take(LONG_TEXT).collect();
    for id in 0..LONG_RECORDS {
        // Each is another one, and none is packed small.
        let (end, start) = text.split_at(id);
        writeln!(rows, "{{\"id\":{id},\"t\":\"{start}{end}\"}}").unwrap();
    }
    rows.flush().unwrap();
    let used = place.command(&["--data-sources", path.to_str().unwrap()]).spawn().unwrap().wait4().unwrap();
    println!("{LONG_RECORDS} records of {LONG_TEXT} bytes: {} MiB", used.rusage.maxrss >> 20);
    assert!(used.status.success());
    assert!(used.rusage.maxrss < LIMIT, "{} bytes", used.rusage.maxrss);
    let report = place.report();
    assert_eq!(crate::column(&report, "t").distinct, LONG_RECORDS as u64);
    place.assert_clean();
}

#[test]
#[ignore = "some minutes, and gigabytes of disk"]
fn ten_million_records_take_less_than_512_mib() {
    let place = Place::new();
    let path = place.path("a.csv");
    let mut rows = BufWriter::new(File::create(&path).unwrap());
    writeln!(rows, "id,time,amount,quantity,name,comment").unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    for id in 0..RECORDS {
        let (amount, quantity) = (random.f64() * 1000.0, random.u8(..));
        let (day, name, comment) = (random.u8(1..=28), random.u16(..), random.u64(..));
        writeln!(rows, "{id},2024-01-{day:02}T00:00:00,{amount},{quantity},name-{name},comment {comment:x}")
            .unwrap();
    }
    rows.flush().unwrap();
    let start = Instant::now();
    let arguments = ["--data-sources", path.to_str().unwrap(), "--group-by", "name"];
    let used =
        place.command(&arguments).stdout(std::process::Stdio::inherit()).spawn().unwrap().wait4().unwrap();
    assert!(used.status.success());
    println!("{RECORDS} records: {:?}, {} MiB", start.elapsed(), used.rusage.maxrss >> 20);
    assert!(used.rusage.maxrss < LIMIT, "{} bytes", used.rusage.maxrss);
    let report = place.report();
    assert_eq!(report.records.valid, RECORDS);
    let id = crate::column(&report, "id");
    assert_eq!((id.distinct, id.mean), (RECORDS, Some((RECORDS - 1) as f64 / 2.0)));
    let last = (RECORDS - 1) as f64;
    assert_eq!(id.quartiles, Some([last / 4.0, last / 2.0, last * 3.0 / 4.0]));
    place.assert_clean();
}
