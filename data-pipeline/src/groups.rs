//! The records by the values of one column.

use std::collections::BTreeMap;

use anyhow::Context as _;
use datafusion::prelude::SessionContext;
use serde_json::Value;

use crate::aggregate::{Merged, value};
use crate::engine::{self, quoted};
use crate::judged::whole;
use crate::summary::{Group, Groups};

/// How many groups a report has.
const MOST: usize = 100;

/// The column of this name.
///
/// # Errors
/// No source has it.
pub(crate) fn column<'a>(by: &str, columns: &'a [Merged]) -> anyhow::Result<&'a Merged> {
    columns.iter().find(|column| column.name == by).with_context(|| {
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        format!("no source has the column `{by}` of --group-by: there are {}", names.join(", "))
    })
}

/// The largest groups of the records of all sources that have the column, with the means of the numbers in them.
pub(crate) async fn by(
    session: &SessionContext,
    column: &Merged,
    columns: &[Merged],
) -> anyhow::Result<Groups> {
    let by = &column.name;
    let numbers: Vec<&Merged> =
        columns.iter().filter(|other| other.kind.is_number() && other.name != *by).collect();
    let rows = column.tables.iter().map(|table| {
        let own = numbers.iter().enumerate().map(|(index, number)| {
            let value = if number.tables.contains(table) { quoted(&number.name) } else { "NULL".to_owned() };
            format!(", CAST({value} AS DOUBLE) AS m{index}")
        });
        let value = format!("CAST({} AS {}) AS v", quoted(by), column.kind.sql());
        format!("SELECT {value}{} FROM {table}", own.collect::<String>())
    });
    let rows = rows.collect::<Vec<_>>().join(" UNION ALL ");
    let means: String = (0..numbers.len()).map(|index| format!(", avg(m{index})")).collect();
    let sql =
        format!("SELECT v, count(*) AS n{means} FROM ({rows}) GROUP BY v ORDER BY n DESC, v LIMIT {MOST}");
    let mut groups = Vec::new();
    for batch in engine::query(session, &sql).await? {
        for row in 0..batch.num_rows() {
            let read = |column| value(&batch, column, row);
            let mut means = BTreeMap::new();
            for (index, number) in numbers.iter().enumerate() {
                if let Some(mean) = read(index + 2)?.and_then(|mean| mean.as_f64()) {
                    means.insert(number.name.clone(), mean);
                }
            }
            let records = read(1)?.and_then(|records| records.as_u64()).unwrap_or_default();
            groups.push(Group { value: read(0)?.unwrap_or(Value::Null), records, means });
        }
    }
    let all = format!("SELECT count(*) FROM (SELECT v FROM ({rows}) GROUP BY v)");
    let all = whole(&engine::query(session, &all).await?[0], 0);
    Ok(Groups { by: by.clone(), others: all - groups.len() as u64, groups })
}
