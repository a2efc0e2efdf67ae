//! Keys: of the records that share one, the first counts and the others are rejected.

use anyhow::Context as _;
use datafusion::arrow::array::AsArray as _;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use futures_util::TryStreamExt as _;

use crate::engine::quoted;
use crate::transform::{JUDGED, ORIGIN, REASON};

/// The origins of valid records whose key an earlier valid one has, sorted. `key`: the view's columns that are it. A key
/// with a missing value is none.
///
/// What it holds is 8 bytes a doubled record; the keys themselves are sorted in bounded memory.
pub(crate) async fn origins(session: &SessionContext, key: &[String]) -> anyhow::Result<Vec<i64>> {
    if key.is_empty() {
        return Ok(Vec::new());
    }
    let columns: Vec<String> = key.iter().map(|column| quoted(column)).collect();
    let present: Vec<String> = columns.iter().map(|column| format!("{column} IS NOT NULL")).collect();
    let (columns, present) = (columns.join(", "), present.join(" AND "));
    let sql = format!(
        "SELECT {ORIGIN} FROM (SELECT {ORIGIN}, row_number() OVER (PARTITION BY {columns} ORDER BY {ORIGIN}) AS nth \
         FROM {JUDGED} WHERE {REASON} IS NULL AND {present}) WHERE nth > 1"
    );
    let doubled = async {
        let mut rows = session.sql(&sql).await?.execute_stream().await?;
        let mut origins = Vec::new();
        while let Some(batch) = rows.try_next().await? {
            origins.extend_from_slice(batch.column(0).as_primitive::<Int64Type>().values());
        }
        Ok::<Vec<i64>, DataFusionError>(origins)
    };
    let mut origins = doubled.await.context("failed to look for doubled keys")?;
    origins.sort_unstable();
    Ok(origins)
}
