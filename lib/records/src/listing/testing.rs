//! What came of an input, field by field.

use serde_json::{Map, Value};

use super::FIELDS;
use crate::testing::Outcome;
use crate::{Conversion, listing};

/// Entries, and what was rejected.
#[derive(Debug, PartialEq)]
pub(crate) struct Entries {
    pub(crate) entries: Vec<[String; FIELDS]>,
    /// Line number, reason and bytes.
    pub(crate) rejected: Vec<(u64, String, Vec<u8>)>,
}

impl Entries {
    /// The entries of a listing.
    pub(crate) fn of_text(input: &[u8]) -> Self {
        Self::of([listing::text_to_csv, listing::text_to_csv_without_fast_path], input, |csv| {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv);
            let records = reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect());
            records.collect()
        })
    }

    /// The entries of CSV.
    pub(crate) fn of_csv(input: &[u8]) -> Self {
        Self::of([listing::csv_to_json, listing::csv_to_json_without_fast_path], input, |json| {
            let documents = std::str::from_utf8(json).unwrap().lines();
            let names = ["mod", "no", "user", "group", "usrno", "date", "file"];
            let entry = |document| {
                let members: Map<String, Value> = serde_json::from_str(document).unwrap();
                names.map(|name| members[name].as_str().unwrap().to_owned()).to_vec()
            };
            documents.map(entry).collect()
        })
    }

    fn of(both_ways: [Conversion; 2], input: &[u8], entries: impl Fn(&[u8]) -> Vec<Vec<String>>) -> Self {
        let [outcome, with_care] = both_ways.map(|convert| Outcome::of(convert, input));
        assert_eq!(outcome, with_care);
        let entries: Vec<_> =
            entries(&outcome.output).into_iter().map(|fields| fields.try_into().unwrap()).collect();
        assert_eq!(outcome.counts.ok, entries.len() as u64);
        Self { entries, rejected: outcome.rejected }
    }

    pub(crate) fn paths(&self) -> Vec<&str> {
        self.entries.iter().map(|fields| fields[FIELDS - 1].as_str()).collect()
    }

    /// Numbers and reasons of the rejected lines.
    pub(crate) fn reasons(&self) -> Vec<(u64, &str)> {
        self.rejected.iter().map(|(line, reason, _)| (*line, reason.as_str())).collect()
    }
}
