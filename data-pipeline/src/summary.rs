//! What a report says: exactly the fields of the JSON report.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// All that a report says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// When it was made: RFC 3339, in UTC.
    pub generated_at: String,
    /// How long each stage took that came before the report.
    pub stages: Vec<StageTime>,
    /// Where the records come from.
    pub sources: Vec<SourceSummary>,
    /// The records of all sources.
    pub records: Records,
    /// What the valid records hold, column by column: those of one name in several sources are one.
    pub columns: Vec<ColumnSummary>,
    /// The valid records by the values of one column, where one was asked for.
    pub groups: Option<Groups>,
}

/// How long a stage took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageTime {
    /// The stage.
    pub name: String,
    /// From its start to its end.
    pub seconds: f64,
}

/// One source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceSummary {
    /// Its name, by which rules and files of rejects know it.
    pub name: String,
    /// Where it was read.
    pub location: String,
    /// Its records.
    pub records: Records,
    /// Why records were rejected, the commonest reason first.
    pub reasons: Vec<Reason>,
}

/// Numbers of records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// All that were read.
    pub read: u64,
    /// Those that were aggregated.
    pub valid: u64,
    /// Those that were set aside.
    pub rejected: u64,
}

/// Why records were rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule's name.
    pub reason: String,
    /// How many records failed it.
    pub records: u64,
}

/// What one column holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnSummary {
    /// Its name.
    pub name: String,
    /// `number`, `text`, `time` or `boolean`.
    pub kind: String,
    /// Valid records of the sources that have the column.
    pub count: u64,
    /// Those without a value.
    pub missing: u64,
    /// How many different values there are.
    pub distinct: u64,
    /// The least value. A number that a double does not hold is a text of its digits, here and below.
    pub minimum: Option<Value>,
    /// The greatest value.
    pub maximum: Option<Value>,
    /// The mean, of numbers.
    pub mean: Option<f64>,
    /// The standard deviation of the sample (divisor n - 1), of numbers.
    pub standard_deviation: Option<f64>,
    /// The quartiles, of numbers, interpolated linearly between the two nearest values.
    pub quartiles: Option<[f64; 3]>,
    /// The most frequent values, the most frequent one first.
    pub most_frequent: Vec<Frequency>,
}

/// How often a value occurs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frequency {
    /// The value.
    pub value: Value,
    /// How many records have it.
    pub records: u64,
}

/// The records by the values of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Groups {
    /// The column.
    pub by: String,
    /// The largest groups, the largest first.
    pub groups: Vec<Group>,
    /// How many further groups there are.
    pub others: u64,
}

/// The records that share a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The value.
    pub value: Value,
    /// How many records have it.
    pub records: u64,
    /// The means of the number columns.
    pub means: BTreeMap<String, f64>,
}
