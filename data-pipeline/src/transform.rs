//! Stage 2: every source's records are read and judged. The valid ones go into a Parquet file, the others beside the report.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use datafusion::arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray, RecordBatch};
use datafusion::arrow::compute;
use datafusion::arrow::datatypes::{Field, Int64Type, Schema, SchemaRef};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::Compression;
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::prelude::SessionContext;
use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use service::Interrupted;

use crate::doubled;
use crate::engine;
use crate::extract::Extracted;
use crate::format::{FileKind, TableFormat};
use crate::judged;
use crate::pipeline::{Failure, Failures, Run};
use crate::rejects::{Origin, Rejects};
use crate::rows::{self, Header, Input};
use crate::rules::Rules;
use crate::summary::{Reason, Records};
use crate::types::Kind;

/// The view of a source's rows with what was found about each.
pub(crate) const JUDGED: &str = "__judged";
/// Its column that says where a row comes from, as [`Origin`] numbers it.
pub(crate) const ORIGIN: &str = "__origin";
/// Its column that says why a row is rejected: null for valid ones.
pub(crate) const REASON: &str = "__reason";

/// Rows that are encoded together: what the writer holds of them is bounded, by their bytes as well.
pub(crate) const ROW_GROUP: usize = 1 << 16;
pub(crate) const ROW_GROUP_BYTES: usize = 16 << 20;

/// A source whose records are valid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Transformed {
    pub(crate) name: String,
    pub(crate) location: String,
    /// The Parquet file of its valid records in the run directory.
    pub(crate) file: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) records: Records,
    pub(crate) reasons: Vec<Reason>,
}

/// A column of a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// Reads and judges one source after the other, up to the first that fails.
pub(crate) async fn run(run: &Run, sources: Vec<Extracted>) -> Result<Vec<Transformed>, Failures> {
    let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    let rules = Arc::new(Rules::read(run.config.rules_file.as_deref(), &names)?);
    let mut transformed = Vec::new();
    for (index, source) in sources.into_iter().enumerate() {
        run.console.line(format_args!("Transforming source {}...", index + 1));
        let name = source.name.clone();
        // A task of its own: readers may panic over files that are no tables, which is this source's fault.
        let work = tokio::spawn({
            let (run, rules) = (run.clone(), Arc::clone(&rules));
            async move { transform(&run, index + 1, source, &rules).await }
        });
        let outcome = work.await.context("the table engine gave up").flatten();
        transformed
            .push(outcome.map_err(|cause| Failures(vec![Failure::of_source(index + 1, &name, cause)]))?);
    }
    Ok(transformed)
}

async fn transform(
    run: &Run,
    number: usize,
    source: Extracted,
    rules: &Rules,
) -> anyhow::Result<Transformed> {
    let inputs = inputs(run, &source)?;
    let bar = run.console.count(&source.name, None);
    let names = |columns: &[Column]| columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    let session = |row_bytes| engine::session(&run.directory.spill(), engine::batch_rows(row_bytes));
    let (session, columns, mut rejects, read) = if inputs[0].kind.format == TableFormat::Parquet {
        let paths: Vec<PathBuf> = inputs.iter().map(|input| input.path.clone()).collect();
        let session = session(judged::row_bytes(&paths).context("failed to read the Parquet")?)?;
        let columns = judged::parquet(&session, paths).await?;
        let rejects = rejects_of(run, &source, &names(&columns));
        (session, columns, rejects, None)
    } else {
        // Its rows come in batches that are small enough.
        let session = session(0)?;
        let rows = run.directory.file(&format!("source-{number}.rows.parquet"));
        let (header, rejects, read) = normalise(run, &source, inputs, rows.clone(), bar.clone()).await?;
        let columns = judged::text(&session, &rows, &header).await?;
        (session, columns, rejects, Some(read))
    };
    let own: Vec<_> = rules.of(&source.name).collect();
    judged::apply(&session, &own).await?;
    let key = rules.key(&source.name, &names(&columns))?;
    let file = format!("source-{number}.valid.parquet");
    let valid = async {
        let doubled = doubled::origins(&session, &key).await?;
        split(&session, &columns, &doubled, &run.directory.file(&file), &mut rejects).await
    };
    let valid = match valid.await {
        Ok(valid) => valid,
        Err(error) => return Err(judged::blame(&session, &own, error).await),
    };
    bar.finish_and_clear();
    let records = Records { read: read.unwrap_or(valid + rejects.count()), valid, rejected: rejects.count() };
    let path = rejects.path();
    let reasons = rejects.publish().with_context(|| format!("failed to write {}", path.display()))?;
    let limit = run.config.max_rejected;
    if limit.is_exceeded(records.rejected, records.read) {
        let Records { read, rejected, .. } = records;
        let commonest = &reasons[0].reason;
        bail!(
            "{rejected} of {read} records were rejected, more than {limit} (--max-rejected), mostly for: {commonest}; \
             they are in {}",
            path.display()
        );
    }
    Ok(Transformed { name: source.name, location: source.location, file, columns, records, reasons })
}

fn inputs(run: &Run, source: &Extracted) -> anyhow::Result<Vec<Input>> {
    let input = |part: &crate::extract::Part| {
        let kind = FileKind::of_name(&part.file).with_context(|| format!("{} is no table", part.file))?;
        Ok(Input { path: run.directory.file(&part.file), kind, origin: part.origin.clone() })
    };
    source.parts.iter().map(input).collect()
}

fn rejects_of(run: &Run, source: &Extracted, columns: &[String]) -> Rejects {
    let is_parquet = source
        .files()
        .next()
        .and_then(FileKind::of_name)
        .is_some_and(|kind| kind.format == TableFormat::Parquet);
    // Parquet's rows are numbered over all files.
    let parts = if is_parquet && source.parts.len() > 1 {
        vec![source.location.clone()]
    } else {
        source.parts.iter().map(|part| part.origin.clone()).collect()
    };
    Rejects::new(&run.config.output_dir, &source.name, parts, columns)
}

/// What the rows are, those that cannot be read, and how many there were; the others lie in `to`.
async fn normalise(
    run: &Run,
    source: &Extracted,
    inputs: Vec<Input>,
    to: PathBuf,
    bar: indicatif::ProgressBar,
) -> anyhow::Result<(Header, Rejects, u64)> {
    let (run, source) = (run.clone(), source.clone());
    let work = move || {
        let header = rows::header(&inputs)?;
        let mut rejects = rejects_of(&run, &source, &header.columns);
        let tick = |rows| {
            bar.inc(rows);
            if run.shutdown.is_requested() { Err(Interrupted.into()) } else { Ok(()) }
        };
        let read = rows::normalise(&inputs, &header, &to, &mut rejects, &tick)?;
        Ok((header, rejects, read))
    };
    tokio::task::spawn_blocking(work).await.context("the reader panicked")?
}

/// Writes the valid rows to the Parquet file `to`, sets the others aside, and says how many are valid.
async fn split(
    session: &SessionContext,
    columns: &[Column],
    doubled: &[i64],
    to: &std::path::Path,
    rejects: &mut Rejects,
) -> anyhow::Result<u64> {
    let fields: Vec<Field> =
        columns.iter().map(|column| Field::new(&column.name, column.kind.data_type(), true)).collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .build();
    let failed = || format!("failed to write {}", to.display());
    let file = File::create(to).with_context(failed)?;
    let mut writer =
        ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties)).with_context(failed)?;
    let (mut valid, mut bytes) = (0, 0);
    let rows = async { session.table(JUDGED).await?.execute_stream().await };
    let mut rows = rows.await.context("failed to judge the records")?;
    while let Some(batch) = rows.try_next().await.context("failed to judge the records")? {
        let is_valid = is_valid(&batch, doubled);
        set_aside(&batch, &is_valid, columns, rejects)?;
        let kept = kept(&batch, &is_valid, &schema)?;
        valid += kept.num_rows() as u64;
        writer.write(&kept).with_context(failed)?;
        // As they are read: packed, also long texts may be small.
        bytes += kept.get_array_memory_size();
        if bytes >= ROW_GROUP_BYTES {
            bytes = 0;
            writer.flush().with_context(failed)?;
        }
    }
    writer.close().with_context(failed)?;
    Ok(valid)
}

fn is_valid(batch: &RecordBatch, doubled: &[i64]) -> BooleanArray {
    let origins = batch[ORIGIN].as_primitive::<Int64Type>().values();
    let reasons = &batch[REASON];
    let valid = origins.iter().enumerate();
    valid.map(|(row, origin)| Some(reasons.is_null(row) && doubled.binary_search(origin).is_err())).collect()
}

fn kept(batch: &RecordBatch, is_valid: &BooleanArray, schema: &SchemaRef) -> anyhow::Result<RecordBatch> {
    let column = |field: &Arc<Field>| {
        let kept = compute::filter(&batch[field.name().as_str()], is_valid)?;
        compute::cast(&kept, field.data_type())
    };
    let columns: Result<Vec<ArrayRef>, _> = schema.fields().iter().map(column).collect();
    let kept = columns.and_then(|columns| RecordBatch::try_new(Arc::clone(schema), columns));
    kept.context("failed to leave rejected records out")
}

fn set_aside(
    batch: &RecordBatch,
    is_valid: &BooleanArray,
    columns: &[Column],
    rejects: &mut Rejects,
) -> anyhow::Result<()> {
    if is_valid.true_count() == batch.num_rows() {
        return Ok(());
    }
    let options = FormatOptions::default().with_null("");
    // As the record has it, where it was read as something else.
    let written = |(index, column): (usize, &Column)| {
        let raw = batch.column_by_name(&judged::raw(index));
        ArrayFormatter::try_new(raw.unwrap_or_else(|| &batch[column.name.as_str()]), &options)
    };
    let values: Result<Vec<_>, _> = columns.iter().enumerate().map(written).collect();
    let values = values.context("failed to show rejected records")?;
    let origins = batch[ORIGIN].as_primitive::<Int64Type>();
    let reasons = compute::cast(&batch[REASON], &Kind::Text.data_type()).context("a reason is a text")?;
    let reasons = reasons.as_string::<i32>();
    for row in (0..batch.num_rows()).filter(|row| !is_valid.value(*row)) {
        let reason = if reasons.is_null(row) { "doubled key" } else { reasons.value(row) };
        let fields: Vec<String> = values.iter().map(|column| column.value(row).to_string()).collect();
        let origin = Origin::from_number(origins.value(row));
        rejects
            .add(origin, reason, fields.iter().map(String::as_bytes))
            .context("failed to write rejected records")?;
    }
    Ok(())
}
