//! The normal form of a source's rows, which the table engine reads without fault: an Arrow file of each row's origin and
//! its fields as text.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use datafusion::arrow::array::{ArrayRef, Int64Builder, RecordBatch, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::ipc::writer::FileWriter;

use crate::engine;
use crate::rejects::Origin;
use crate::transform::ORIGIN;

/// Rows on their way into the file.
pub(crate) struct Rows {
    file: FileWriter<BufWriter<File>>,
    schema: SchemaRef,
    origins: Int64Builder,
    columns: Vec<StringBuilder>,
    /// What is not in the file yet.
    rows: usize,
    bytes: usize,
}

impl Rows {
    /// Begins the file `to`.
    pub(crate) fn create(to: &Path, columns: &[String]) -> anyhow::Result<Self> {
        let failed = || format!("failed to write {}", to.display());
        let mut fields = vec![Field::new(ORIGIN, DataType::Int64, false)];
        fields.extend(columns.iter().map(|name| Field::new(name, DataType::Utf8, true)));
        let schema = Arc::new(Schema::new(fields));
        let file = FileWriter::try_new_buffered(File::create(to).with_context(failed)?, &schema);
        let file = file.with_context(failed)?;
        let columns = columns.iter().map(|_| StringBuilder::new()).collect();
        Ok(Self { file, schema, origins: Int64Builder::new(), columns, rows: 0, bytes: 0 })
    }

    /// Adds a row; none is a missing value.
    pub(crate) fn add<'a>(
        &mut self,
        origin: Origin,
        fields: impl IntoIterator<Item = Option<&'a str>>,
    ) -> anyhow::Result<()> {
        self.origins.append_value(origin.number());
        for (column, field) in self.columns.iter_mut().zip(fields) {
            column.append_option(field);
            self.bytes += field.map_or(0, str::len);
        }
        self.rows += 1;
        // The engine works on what is written together: however long the rows are, it holds few of them.
        if self.rows >= engine::BATCH_ROWS || self.bytes >= engine::BATCH_BYTES {
            self.write()
        } else {
            Ok(())
        }
    }

    /// Ends the file.
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        self.write()?;
        self.file.finish().context("failed to write rows")
    }

    fn write(&mut self) -> anyhow::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(self.origins.finish())];
        arrays.extend(self.columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef));
        (self.rows, self.bytes) = (0, 0);
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays);
        batch.and_then(|batch| self.file.write(&batch)).context("failed to write rows")
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::AsArray as _;
    use datafusion::arrow::ipc::reader::FileReader;

    use super::*;

    #[test]
    fn rows_are_written_in_batches_of_few_bytes_and_missing_values_are_no_empty_ones() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("rows.arrow");
        let mut rows = Rows::create(&path, &["a".to_owned(), "b".to_owned()]).unwrap();
        let long = "x".repeat(engine::BATCH_BYTES / 2);
        for line in 2..=6 {
            rows.add(Origin::new(0, line), [Some(long.as_str()), None]).unwrap();
        }
        rows.add(Origin::new(0, 7), [Some(""), Some("y")]).unwrap();
        rows.finish().unwrap();
        let batches: Vec<RecordBatch> =
            FileReader::try_new(File::open(path).unwrap(), None).unwrap().map(Result::unwrap).collect();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [2, 2, 2]);
        let last = batches[2]["a"].as_string::<i32>();
        assert_eq!((last.value(0).len(), last.value(1)), (long.len(), ""));
        assert!(batches[2]["b"].as_string::<i32>().iter().eq([None, Some("y")]));
    }
}
