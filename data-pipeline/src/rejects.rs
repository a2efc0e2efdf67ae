//! `rejects-<source>.csv`: the records of a source that were set aside, and why.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use crate::staged::{self, Staged};
use crate::summary::Reason;

/// A row's place among a source's files: the number of the file above, the line in it below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin(i64);

const LINE_BITS: u32 = 44;

impl Origin {
    pub(crate) fn new(part: usize, line: u64) -> Self {
        // Less than 2^19 files and 2^44 lines: more than any machine reads in an hour.
        Self(((part as i64) << LINE_BITS) | (line as i64))
    }

    pub(crate) fn from_number(number: i64) -> Self {
        Self(number)
    }

    pub(crate) fn number(self) -> i64 {
        self.0
    }

    fn part(self) -> usize {
        (self.0 >> LINE_BITS) as usize
    }

    fn line(self) -> i64 {
        self.0 & ((1 << LINE_BITS) - 1)
    }
}

/// Collects a source's rejected records; nothing is there before it is published.
pub(crate) struct Rejects {
    directory: PathBuf,
    name: String,
    /// What people know the source's files by.
    parts: Vec<String>,
    columns: Vec<String>,
    /// None as long as nothing was rejected.
    rows: Option<(Staged, csv::Writer<BufWriter<File>>)>,
    counts: BTreeMap<String, u64>,
}

impl Rejects {
    /// Rejects of the source `source` with these files and columns, to go into `directory`.
    pub(crate) fn new(directory: &Path, source: &str, parts: Vec<String>, columns: &[String]) -> Self {
        Self {
            directory: directory.to_owned(),
            name: format!("rejects-{source}.csv"),
            parts,
            columns: columns.to_vec(),
            rows: None,
            counts: BTreeMap::new(),
        }
    }

    /// Sets a record aside. Where it has too few fields, the rest are empty; the last one has all that are too many.
    pub(crate) fn add<'a>(
        &mut self,
        origin: Origin,
        reason: &str,
        fields: impl IntoIterator<Item = &'a [u8]>,
    ) -> io::Result<()> {
        if self.rows.is_none() {
            let staged = Staged::begin(&self.directory)?;
            let mut rows = csv::Writer::from_writer(BufWriter::new(staged.file().try_clone()?));
            rows.write_record(
                ["file", "line", "rule"].into_iter().chain(self.columns.iter().map(String::as_str)),
            )?;
            self.rows = Some((staged, rows));
        }
        let (_, rows) = self.rows.as_mut().expect("made above");
        let mut record = csv::ByteRecord::new();
        record.push_field(self.parts.get(origin.part()).map_or("", String::as_str).as_bytes());
        record.push_field(origin.line().to_string().as_bytes());
        record.push_field(reason.as_bytes());
        let mut fields = fields.into_iter();
        for index in 1..=self.columns.len() {
            let field = fields.next().unwrap_or_default();
            if index < self.columns.len() {
                record.push_field(field);
            } else {
                record.push_field(&joined(field, &mut fields));
            }
        }
        rows.write_byte_record(&record)?;
        match self.counts.get_mut(reason) {
            Some(count) => *count += 1,
            None => drop(self.counts.insert(reason.to_owned(), 1)),
        }
        Ok(())
    }

    /// How many records there are.
    pub(crate) fn count(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Publishes them in the place of those of an earlier run, and says why they were rejected, the commonest reason first.
    pub(crate) fn publish(self) -> io::Result<Vec<Reason>> {
        match self.rows {
            Some((staged, rows)) => {
                rows.into_inner()
                    .map_err(|error| error.into_error())?
                    .into_inner()
                    .map_err(|error| error.into_error())?;
                staged.replace(&self.name)?;
            }
            // They would pass for this run's.
            None => staged::remove(&self.directory.join(&self.name))?,
        }
        let mut reasons: Vec<Reason> =
            self.counts.into_iter().map(|(reason, records)| Reason { reason, records }).collect();
        // Stable: reasons as common as each other stay in the order of their names.
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.records));
        Ok(reasons)
    }

    /// Where they go.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join(&self.name)
    }
}

/// The last column's field with all that follow, as they stood: separated by commas.
fn joined<'a>(first: &[u8], rest: &mut impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    rest.fold(first.to_vec(), |mut joined, field| {
        joined.push(b',');
        joined.extend_from_slice(field);
        joined
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejects(directory: &Path) -> Rejects {
        let columns = ["a".to_owned(), "b".to_owned()];
        Rejects::new(directory, "orders", vec!["x.csv".to_owned(), "y.csv".to_owned()], &columns)
    }

    #[test]
    fn every_row_has_the_columns_of_the_header_and_the_commonest_reason_comes_first() {
        let place = tempfile::tempdir().unwrap();
        let mut rejects = rejects(place.path());
        rejects.add(Origin::new(0, 2), "few", [&b"1"[..]]).unwrap();
        rejects.add(Origin::new(1, 3), "many", [&b"1"[..], b"2", b"3,4"]).unwrap();
        rejects.add(Origin::new(1, 4), "many", []).unwrap();
        assert_eq!((rejects.count(), rejects.path()), (3, place.path().join("rejects-orders.csv")));
        let reasons = rejects.publish().unwrap();
        assert_eq!(reasons[0], Reason { reason: "many".to_owned(), records: 2 });
        let written = std::fs::read_to_string(place.path().join("rejects-orders.csv")).unwrap();
        assert_eq!(written, "file,line,rule,a,b\nx.csv,2,few,1,\ny.csv,3,many,1,\"2,3,4\"\ny.csv,4,many,,\n");
    }

    #[test]
    fn what_an_earlier_run_rejected_does_not_stay_beside_a_report_without_rejects() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("rejects-orders.csv"), "old").unwrap();
        assert!(rejects(place.path()).publish().unwrap().is_empty());
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
