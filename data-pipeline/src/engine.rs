//! DataFusion, set up: bounded memory, spilling into the run directory, names as they are written.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use datafusion::arrow::array::{AsArray as _, RecordBatch};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::config::MaxRowGroupBytes;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::transform::{ROW_GROUP, ROW_GROUP_BYTES};

/// What sorting and grouping may hold before they spill. The process takes some 100 MiB besides.
const MEMORY: usize = 192 << 20;

/// So many rows, or so many bytes of them, are worked on together.
pub(crate) const BATCH_ROWS: usize = 1024;
pub(crate) const BATCH_BYTES: usize = 4 << 20;

/// How many rows of that many bytes are worked on together.
pub(crate) fn batch_rows(row_bytes: u64) -> usize {
    let rows = BATCH_BYTES as u64 / row_bytes.max(1);
    usize::try_from(rows).map_or(BATCH_ROWS, |rows| rows.clamp(1, BATCH_ROWS))
}

/// A session that spills into `directory`, and works on so many rows at a time.
pub(crate) fn session(directory: &Path, batch_rows: usize) -> anyhow::Result<SessionContext> {
    // Of what is long, an operator holds more than it has told by then: twice its part.
    let memory = if batch_rows < BATCH_ROWS { MEMORY / 2 } else { MEMORY };
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(memory)))
        .with_temp_file_path(directory)
        .build_arc()
        .context("failed to set up the spilling of tables")?;
    // One partition: rows keep their order, and each operator has all of the memory.
    let mut config = SessionConfig::new().with_target_partitions(1).with_batch_size(batch_rows);
    let options = config.options_mut();
    options.sql_parser.enable_ident_normalization = false;
    // Views keep whole buffers alive for a few bytes of each.
    options.sql_parser.map_string_types_to_utf8view = false;
    options.execution.parquet.schema_force_view_types = false;
    // What a writer holds of a row group it cannot spill.
    options.execution.parquet.max_row_group_size = ROW_GROUP;
    options.execution.parquet.allow_single_file_parallelism = false;
    options.execution.parquet.max_row_group_bytes = MaxRowGroupBytes::try_new(ROW_GROUP_BYTES).ok();
    Ok(SessionContext::new_with_config_rt(config, runtime))
}

/// Collects the few rows of a query.
pub(crate) async fn query(session: &SessionContext, sql: &str) -> anyhow::Result<Vec<RecordBatch>> {
    let rows = async { session.sql(sql).await?.collect().await };
    rows.await.inspect_err(|_| tracing::debug!("failed: {sql}")).context("failed to query the records")
}

/// Which of these columns have no value in any row of a table.
pub(crate) async fn without_values(
    session: &SessionContext,
    table: &str,
    columns: &[String],
) -> anyhow::Result<HashSet<String>> {
    if columns.is_empty() {
        return Ok(HashSet::new());
    }
    let counts: Vec<String> = columns.iter().map(|column| format!("count({})", quoted(column))).collect();
    let rows = query(session, &format!("SELECT {} FROM {table}", counts.join(", "))).await?;
    let is_empty = |index: usize| rows[0].column(index).as_primitive::<Int64Type>().value(0) == 0;
    let columns = columns.iter().enumerate().filter(|(index, _)| is_empty(*index));
    Ok(columns.map(|(_, column)| column.clone()).collect())
}

/// A name as SQL reads it back.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL reads it back.
pub(crate) fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
