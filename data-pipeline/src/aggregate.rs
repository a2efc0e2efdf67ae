//! Stage 3: what the valid records hold, column by column, exactly: what does not fit in memory is sorted on disk.

use std::collections::HashSet;

use anyhow::Context as _;
use datafusion::arrow::array::{AsArray as _, RecordBatch};
use datafusion::arrow::datatypes::Float64Type;
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use datafusion::scalar::ScalarValue;
use serde_json::Value;

use crate::engine::{self, quoted};
use crate::groups;
use crate::judged::whole;
use crate::pipeline::{Failures, Run};
use crate::run_directory::Aggregated;
use crate::summary::{ColumnSummary, Frequency, Groups, Records, SourceSummary};
use crate::transform::Transformed;
use crate::types::Kind;

/// How many of a column's most frequent values are told.
const MOST_FREQUENT: usize = 5;

/// A column's values with how often each occurs, while that column is worked on.
const VALUES: &str = "__values";

/// A column by its name, in all sources that have it.
pub(crate) struct Merged {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The tables of these sources.
    pub(crate) tables: Vec<String>,
}

/// Computes what the report says of the records.
pub(crate) async fn run(run: &Run, sources: Vec<Transformed>) -> Result<Aggregated, Failures> {
    run.console.line("Aggregating data...");
    Ok(aggregate(run, sources).await?)
}

async fn aggregate(run: &Run, sources: Vec<Transformed>) -> anyhow::Result<Aggregated> {
    let session = open(run, &sources, engine::BATCH_ROWS).await?;
    let merged = merge(&sources, &without_values(&session, &sources).await?);
    let groups = match &run.config.group_by {
        Some(by) => {
            let column = groups::column(by, &merged)?;
            let session = session_for(run, &session, &sources, column).await?;
            Some(groups::by(&session, column, &merged).await?)
        }
        None => None,
    };
    let bar = run.console.count("columns", Some(merged.len() as u64));
    let mut columns = Vec::new();
    for (index, column) in merged.iter().enumerate() {
        let summary = async {
            let session = session_for(run, &session, &sources, column).await?;
            summarise(run, &session, index, column).await
        };
        let summary = summary.await;
        columns.push(summary.with_context(|| format!("failed to aggregate the column {}", column.name))?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(aggregated(sources, columns, groups))
}

/// A session with the sources' tables.
async fn open(run: &Run, sources: &[Transformed], batch_rows: usize) -> anyhow::Result<SessionContext> {
    let session = engine::session(&run.directory.spill(), batch_rows)?;
    for (index, source) in sources.iter().enumerate() {
        let path = run.directory.file(&source.file);
        let path = path.to_str().context("the run directory's path is not UTF-8")?;
        let read = session.register_parquet(table(index), path, ParquetReadOptions::default()).await;
        read.with_context(|| format!("failed to read the records of {}", source.name))?;
    }
    Ok(session)
}

/// The session itself, or one that works on few enough of a column's values at a time, where they are long.
async fn session_for(
    run: &Run,
    session: &SessionContext,
    sources: &[Transformed],
    column: &Merged,
) -> anyhow::Result<SessionContext> {
    if column.kind != Kind::Text {
        return Ok(session.clone());
    }
    let sql = format!("SELECT max(CAST(octet_length(v) AS BIGINT)) FROM ({})", values_sql(column));
    let longest = whole(&engine::query(session, &sql).await?[0], 0);
    match engine::batch_rows(longest) {
        engine::BATCH_ROWS => Ok(session.clone()),
        few => open(run, sources, few).await,
    }
}

fn aggregated(sources: Vec<Transformed>, columns: Vec<ColumnSummary>, groups: Option<Groups>) -> Aggregated {
    let files = sources.iter().map(|source| source.file.clone()).collect();
    let sources = sources.into_iter().map(|Transformed { name, location, records, reasons, .. }| {
        SourceSummary { name, location, records, reasons }
    });
    Aggregated { sources: sources.collect(), columns, groups, files }
}

/// The records of all sources.
pub(crate) fn total(sources: &[SourceSummary]) -> Records {
    sources.iter().fold(Records::default(), |sum, SourceSummary { records, .. }| Records {
        read: sum.read + records.read,
        valid: sum.valid + records.valid,
        rejected: sum.rejected + records.rejected,
    })
}

fn table(index: usize) -> String {
    format!("source_{index}")
}

/// Of each source, the columns that are text only because no value told what they hold.
async fn without_values(
    session: &SessionContext,
    sources: &[Transformed],
) -> anyhow::Result<Vec<HashSet<String>>> {
    let mut without = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let texts = source.columns.iter().filter(|column| column.kind == Kind::Text);
        let texts: Vec<String> = texts.map(|column| column.name.clone()).collect();
        without.push(engine::without_values(session, &table(index), &texts).await?);
    }
    Ok(without)
}

/// The columns of all sources, in the order in which they first come: those of one name are one.
fn merge(sources: &[Transformed], without_values: &[HashSet<String>]) -> Vec<Merged> {
    let mut merged: Vec<Merged> = Vec::new();
    let mut told = HashSet::<String>::new();
    for (index, source) in sources.iter().enumerate() {
        for column in &source.columns {
            let tells = !without_values[index].contains(&column.name);
            let is_told = told.contains(&column.name);
            match merged.iter_mut().find(|merged| merged.name == column.name) {
                Some(merged) => {
                    merged.kind = match (is_told, tells) {
                        (true, true) => merged.kind.joined(column.kind),
                        (true, false) => merged.kind,
                        (false, _) => column.kind,
                    };
                    merged.tables.push(table(index));
                }
                None => {
                    merged.push(Merged {
                        name: column.name.clone(),
                        kind: column.kind,
                        tables: vec![table(index)],
                    });
                }
            }
            if tells {
                told.insert(column.name.clone());
            }
        }
    }
    merged
}

/// SQL that has a column's values as `v`.
fn values_sql(column: &Merged) -> String {
    let of = |table: &String| {
        format!("SELECT CAST({} AS {}) AS v FROM {table}", quoted(&column.name), column.kind.sql())
    };
    column.tables.iter().map(of).collect::<Vec<_>>().join(" UNION ALL ")
}

async fn summarise(
    run: &Run,
    session: &SessionContext,
    index: usize,
    column: &Merged,
) -> anyhow::Result<ColumnSummary> {
    let values = values_sql(column);
    let numbers = if column.kind.is_number() {
        "avg(CAST(v AS DOUBLE)), stddev_samp(CAST(v AS DOUBLE))"
    } else {
        "NULL AS mean, NULL AS deviation"
    };
    let sql = format!("SELECT count(*), count(v), min(v), max(v), {numbers} FROM ({values})");
    let totals = engine::query(session, &sql).await?;
    let (count, present) = (whole(&totals[0], 0), whole(&totals[0], 1));

    // A name of its own: what the engine remembers of a file's inside it finds by name, size and time.
    let name = format!("values-{index}.parquet");
    let file = run.directory.file(&name);
    let path = file.to_str().context("the run directory's path is not UTF-8")?;
    let sql = format!("SELECT v, count(*) AS n FROM ({values}) WHERE v IS NOT NULL GROUP BY v");
    let counted = async {
        let options = DataFrameWriteOptions::new().with_single_file_output(true);
        session.sql(&sql).await?.write_parquet(path, options, None).await?;
        session.register_parquet(VALUES, path, ParquetReadOptions::default()).await
    };
    counted.await.context("failed to count the values")?;
    let distinct = engine::query(session, &format!("SELECT count(*) FROM {VALUES}")).await?;
    let most_frequent = most_frequent(session, column.kind).await?;
    let quartiles =
        if column.kind.is_number() && present > 0 { quartiles(session, present).await? } else { None };
    session.deregister_table(VALUES).context("failed to let go of the values")?;
    run.directory.forget(&name)?;
    Ok(ColumnSummary {
        name: column.name.clone(),
        kind: column.kind.shown().to_owned(),
        count,
        missing: count - present,
        distinct: whole(&distinct[0], 0),
        minimum: value(&totals[0], 2, 0)?,
        maximum: value(&totals[0], 3, 0)?,
        mean: number(&totals[0], 4)?,
        standard_deviation: number(&totals[0], 5)?,
        quartiles,
        most_frequent,
    })
}

async fn most_frequent(session: &SessionContext, kind: Kind) -> anyhow::Result<Vec<Frequency>> {
    let sql = format!(
        "SELECT CAST(v AS {}) AS v, n FROM {VALUES} ORDER BY n DESC, v LIMIT {MOST_FREQUENT}",
        kind.sql()
    );
    let mut frequencies = Vec::new();
    for batch in engine::query(session, &sql).await? {
        for row in 0..batch.num_rows() {
            let records =
                batch.column(1).as_primitive::<datafusion::arrow::datatypes::Int64Type>().value(row);
            let value = value(&batch, 0, row)?.unwrap_or(Value::Null);
            frequencies.push(Frequency { value, records: records.unsigned_abs() });
        }
    }
    Ok(frequencies)
}

/// The quartiles of so many numbers, interpolated linearly between the two nearest.
async fn quartiles(session: &SessionContext, count: u64) -> anyhow::Result<Option<[f64; 3]>> {
    // In quarters of a rank, from 0 on.
    let places = [1, 2, 3].map(|quarter| quarter * (count - 1));
    let ranks: Vec<u64> = places.iter().flat_map(|place| [place / 4, place.div_ceil(4)]).collect();
    let wanted: Vec<String> =
        ranks.iter().map(|rank| format!("(upto - n <= {rank} AND {rank} < upto)")).collect();
    let sql = format!(
        "SELECT CAST(v AS DOUBLE), upto - n, upto FROM (SELECT v, n, sum(n) OVER (ORDER BY v ROWS BETWEEN UNBOUNDED \
         PRECEDING AND CURRENT ROW) AS upto FROM {VALUES}) WHERE {}",
        wanted.join(" OR ")
    );
    let rows = engine::query(session, &sql).await?;
    let at = |rank: u64| {
        rows.iter().find_map(|batch| {
            let bound = |column: usize, row: usize| {
                batch
                    .column(column)
                    .as_primitive::<datafusion::arrow::datatypes::Int64Type>()
                    .value(row)
                    .unsigned_abs()
            };
            let row = (0..batch.num_rows()).find(|row| bound(1, *row) <= rank && rank < bound(2, *row))?;
            Some(batch.column(0).as_primitive::<Float64Type>().value(row))
        })
    };
    let quartile = |place: u64| {
        let (below, above) = (at(place / 4)?, at(place.div_ceil(4))?);
        Some(below + (above - below) * ((place % 4) as f64 / 4.0))
    };
    let [first, second, third] = places.map(quartile);
    let all = first.zip(second).zip(third).map(|((first, second), third)| [first, second, third]);
    // JSON has no others.
    Ok(all.filter(|quartiles| quartiles.iter().all(|quartile| quartile.is_finite())))
}

/// A value of a batch as JSON has it; none where it is null.
pub(crate) fn value(batch: &RecordBatch, column: usize, row: usize) -> anyhow::Result<Option<Value>> {
    let scalar = ScalarValue::try_from_array(batch.column(column), row).context("failed to read a value")?;
    if scalar.is_null() {
        return Ok(None);
    }
    Ok(Some(match scalar {
        ScalarValue::Int64(Some(number)) => Value::from(number),
        // JSON has no infinities: they are texts.
        ScalarValue::Float64(Some(number)) if number.is_finite() => Value::from(number),
        ScalarValue::Decimal128(..) | ScalarValue::Decimal256(..) => {
            decimal(&array_value_to_string(batch.column(column), row).context("failed to read a value")?)
        }
        ScalarValue::Boolean(Some(boolean)) => Value::from(boolean),
        ScalarValue::Utf8(Some(text)) => Value::from(text),
        ScalarValue::TimestampMicrosecond(Some(microseconds), _) => {
            let time = jiff::Timestamp::from_microsecond(microseconds).map(|time| time.to_string());
            Value::from(time.unwrap_or_else(|_| format!("{microseconds} µs")))
        }
        other => Value::from(other.to_string()),
    }))
}

/// A decimal as JSON has it: a number, or a text where whoever reads JSON would take it for another number.
fn decimal(text: &str) -> Value {
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    let whole = text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from));
    whole.unwrap_or_else(|_| match text.parse::<f64>() {
        Ok(number) if number.to_string() == text => Value::from(number),
        _ => Value::from(text),
    })
}

/// A number of a batch's only row; none where it is null, or none that JSON has.
fn number(batch: &RecordBatch, column: usize) -> anyhow::Result<Option<f64>> {
    Ok(value(batch, column, 0)?.and_then(|value| value.as_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::Column;

    #[test]
    fn decimals_that_json_would_round_are_texts() {
        for (text, expected) in [
            ("0.00", Value::from(0)),
            ("1.10", Value::from(1.1)),
            ("-5.00", Value::from(-5)),
            ("0.0000000001", Value::from(1e-10)),
            ("18446744073709551615", Value::from(u64::MAX)),
            ("100000000000000000000000", Value::from(1e23)),
            ("100000000000000000000001", Value::from("100000000000000000000001")),
            ("9007199254740992.50", Value::from("9007199254740992.5")),
        ] {
            assert_eq!(decimal(text), expected, "{text}");
        }
    }

    #[test]
    fn columns_of_one_name_are_one_and_keep_their_first_place() {
        let source = |columns: &[(&str, Kind)]| Transformed {
            name: String::new(),
            location: String::new(),
            file: String::new(),
            columns: columns
                .iter()
                .map(|(name, kind)| Column { name: (*name).to_owned(), kind: *kind })
                .collect(),
            records: Records::default(),
            reasons: Vec::new(),
        };
        let sources = [
            source(&[("id", Kind::Integer), ("amount", Kind::Integer)]),
            source(&[("name", Kind::Text), ("amount", Kind::Float)]),
        ];
        let merged = merge(&sources, &[HashSet::new(), HashSet::new()]);
        let shown: Vec<_> =
            merged.iter().map(|column| (column.name.as_str(), column.kind, column.tables.len())).collect();
        assert_eq!(shown, [("id", Kind::Integer, 1), ("amount", Kind::Float, 2), ("name", Kind::Text, 1)]);
    }
}
