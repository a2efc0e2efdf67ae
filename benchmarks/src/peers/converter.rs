//! csv and `serde_json`, as one uses them: a record is read into borrowed strings and serialised.

#![allow(clippy::disallowed_methods, reason = "no volume, a benchmark's own directory")]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use csv::StringRecord;

use crate::input::Entry;

pub(crate) fn csv_to_json(input: &Path, output: &Path) -> anyhow::Result<()> {
    let source = File::open(input)?;
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).buffer_capacity(1 << 16).from_reader(source);
    let mut writer = BufWriter::with_capacity(1 << 16, File::create(output)?);
    let mut record = StringRecord::new();
    while reader.read_record(&mut record)? {
        let entry = Entry {
            mode: &record[0],
            links: &record[1],
            user: &record[2],
            group: &record[3],
            size: &record[4],
            date: &record[5],
            path: &record[6],
        };
        serde_json::to_writer(&mut writer, &entry)?;
        writer.write_all(b"\n")?;
    }
    writer.into_inner()?.sync_all()?;
    Ok(fs::remove_file(input)?)
}
