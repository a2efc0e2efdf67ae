//! The view that says of each row of a source what its columns hold and why it is rejected, if it is.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use datafusion::arrow::array::{AsArray as _, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::logical_expr::{Expr, ExprSchemable as _, ident, lit, when};
use datafusion::parquet::file::reader::{FileReader as _, SerializedFileReader};
use datafusion::prelude::{DataFrame, ParquetReadOptions, SessionContext};
use datafusion::scalar::ScalarValue;

use crate::engine::{self, quoted, text as literal};
use crate::rows::Header;
use crate::rules::Rule;
use crate::transform::{Column, JUDGED, ORIGIN, REASON};
use crate::types::{self, Kind, SAMPLE};

/// The rows in their normal form, or as the Parquet has them.
const ROWS: &str = "__rows";
/// The rows with their columns read.
const READ: &str = "__read";
/// Why a row's columns could not be read.
const UNREAD: &str = "__unread";

/// The column that has what stands in the file for the column of this index.
pub(crate) fn raw(index: usize) -> String {
    format!("__raw_{index}")
}

/// Reads the normal form of CSV or JSON lines, and tells what its columns hold.
pub(crate) async fn text(
    session: &SessionContext,
    rows: &Path,
    header: &Header,
) -> anyhow::Result<Vec<Column>> {
    let path = rows.to_str().context("the run directory's path is not UTF-8")?;
    session
        .register_parquet(ROWS, path, ParquetReadOptions::default())
        .await
        .context("failed to read the rows")?;
    let columns = told(session, header).await?;
    let mut selected = vec![ORIGIN.to_owned()];
    let mut unread = String::new();
    for (index, Column { name, kind }) in columns.iter().enumerate() {
        let (read, quoted) = (kind.read_sql(name), quoted(name));
        selected.push(format!("{quoted} AS {}", raw(index)));
        selected.push(format!("{read} AS {quoted}"));
        if *kind != Kind::Text {
            let reason = literal(&kind.reason(name));
            unread += &format!(" WHEN {quoted} IS NOT NULL AND {read} IS NULL THEN {reason}");
        }
    }
    let unread =
        if unread.is_empty() { "CAST(NULL AS VARCHAR)".to_owned() } else { format!("CASE{unread} END") };
    view(session, &selected, &unread).await?;
    Ok(columns)
}

/// What the columns of a text file hold, by their first values.
async fn told(session: &SessionContext, header: &Header) -> anyhow::Result<Vec<Column>> {
    let read = header.columns.iter().flat_map(|name| types::sample_sql(name)).enumerate();
    let (counts, read): (Vec<String>, Vec<String>) =
        read.map(|(index, sql)| (format!("count(c{index})"), format!("{sql} AS c{index}"))).unzip();
    // Two steps: a count of a cast has the same name as one of what is cast.
    let sql =
        format!("SELECT {} FROM (SELECT {} FROM {ROWS} LIMIT {SAMPLE})", counts.join(", "), read.join(", "));
    let rows = engine::query(session, &sql).await?;
    let count = |index: usize| rows[0].column(index).as_primitive::<Int64Type>().value(0).unsigned_abs();
    let columns = header.columns.iter().zip(&header.is_text).enumerate();
    let told = columns.map(|(index, (name, is_text))| {
        let counts = std::array::from_fn(|offset| count(index * types::COUNTS + offset));
        Column { name: name.clone(), kind: Kind::told_by(counts, *is_text) }
    });
    Ok(told.collect())
}

/// How many bytes a row of Parquet files has, in the mean of the row group whose rows are the largest.
pub(crate) fn row_bytes(paths: &[PathBuf]) -> anyhow::Result<u64> {
    let mut largest = 0;
    for path in paths {
        let reader = SerializedFileReader::new(File::open(path)?)?;
        let means = reader.metadata().row_groups().iter().map(|group| {
            group.total_byte_size().max(0).unsigned_abs() / group.num_rows().max(1).unsigned_abs()
        });
        largest = means.fold(largest, u64::max);
    }
    Ok(largest)
}

/// Reads Parquet files, whose columns say themselves what they hold.
pub(crate) async fn parquet(session: &SessionContext, paths: Vec<PathBuf>) -> anyhow::Result<Vec<Column>> {
    let paths: Option<Vec<String>> = paths.iter().map(|path| Some(path.to_str()?.to_owned())).collect();
    let paths = paths.context("the run directory's path is not UTF-8")?;
    let rows = session
        .read_parquet(paths, ParquetReadOptions::default())
        .await
        .context("failed to read the Parquet")?;
    let mut columns = Vec::new();
    let mut selected = vec![format!("CAST(row_number() OVER () AS BIGINT) AS {ORIGIN}")];
    for field in rows.schema().fields() {
        let name = field.name().clone();
        let Some(kind) = Kind::of(field.data_type()) else {
            tracing::warn!("the column {name} is left out: it holds {}, no single values", field.data_type());
            continue;
        };
        if kind == Kind::Float {
            selected.push(format!("{} AS {}", quoted(&name), raw(columns.len())));
        }
        selected.push(format!("CAST({0} AS {1}) AS {0}", quoted(&name), kind.sql()));
        columns.push(Column { name, kind });
    }
    if columns.is_empty() {
        bail!("none of its columns holds single values");
    }
    session.register_table(ROWS, rows.into_view()).context("failed to read the Parquet")?;
    view(session, &selected, "CAST(NULL AS VARCHAR)").await?;
    Ok(columns)
}

async fn view(session: &SessionContext, selected: &[String], unread: &str) -> anyhow::Result<()> {
    let sql = format!("SELECT {}, {unread} AS {UNREAD} FROM {ROWS}", selected.join(", "));
    let read = session.sql(&sql).await.context("failed to read the columns")?;
    session.register_table(READ, read.into_view()).context("failed to read the columns")?;
    Ok(())
}

/// Judges the rows: those that could not be read, then by each rule in turn.
pub(crate) async fn apply(session: &SessionContext, rules: &[&Rule]) -> anyhow::Result<()> {
    let judged = judged(session, rules).await?;
    session.register_table(JUDGED, judged.into_view()).context("failed to judge the records")?;
    Ok(())
}

async fn judged(session: &SessionContext, rules: &[&Rule]) -> anyhow::Result<DataFrame> {
    let read = session.table(READ).await.context("failed to judge the records")?;
    let mut reason = when(ident(UNREAD).is_not_null(), ident(UNREAD));
    for rule in rules {
        let failed = || cannot_be_checked(rule);
        let mut check = read.parse_sql_expr(&rule.check).with_context(failed)?;
        if check.get_type(read.schema()).is_err() {
            check = without_values(session, check).await?;
        }
        let data_type = check.get_type(read.schema()).with_context(failed)?;
        if data_type != DataType::Boolean {
            bail!("the rule `{}` is no condition: {} is a value of type {data_type}", rule.name, rule.check);
        }
        reason = reason.when(check.is_false(), lit(rule.name.as_str()));
    }
    let judged = reason.end().and_then(|reason| read.with_column(REASON, reason)?.drop_columns(&[UNREAD]));
    judged.context("the rules cannot be checked")
}

fn cannot_be_checked(rule: &Rule) -> String {
    format!("the rule `{}` cannot be checked: {}", rule.name, rule.check)
}

/// The check with missing numbers for its columns that have no value, and so nothing that told what they hold.
async fn without_values(session: &SessionContext, check: Expr) -> anyhow::Result<Expr> {
    let columns: Vec<String> = check.column_refs().into_iter().map(|column| column.name.clone()).collect();
    let without = engine::without_values(session, READ, &columns).await?;
    let number = check.transform(|part| {
        Ok(match part {
            Expr::Column(column) if without.contains(&column.name) => {
                Transformed::yes(lit(ScalarValue::Float64(None)))
            }
            part => Transformed::no(part),
        })
    });
    Ok(number.context("a check has parts")?.data)
}

/// Why judging failed: the first rule that fails by itself, else what was found already.
pub(crate) async fn blame(session: &SessionContext, rules: &[&Rule], found: anyhow::Error) -> anyhow::Error {
    for rule in rules {
        let alone = async {
            let rejected = judged(session, &[*rule]).await?.filter(ident(REASON).is_not_null())?;
            anyhow::Ok(rejected.count().await?)
        };
        if let Err(error) = alone.await {
            return error.context(cannot_be_checked(rule));
        }
    }
    found
}

/// The value of a batch's only row in this column, as a whole number.
pub(crate) fn whole(batch: &RecordBatch, column: usize) -> u64 {
    batch.column(column).as_primitive::<Int64Type>().value(0).unsigned_abs()
}
