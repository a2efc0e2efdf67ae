//! The normal form of a source's rows, which the table engine reads without fault: a Parquet file of each row's origin
//! and its fields as text.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use datafusion::arrow::array::{ArrayRef, Int64Builder, RecordBatch, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::Compression;
use datafusion::parquet::file::properties::WriterProperties;

use crate::engine;
use crate::rejects::Origin;
use crate::transform::ORIGIN;

/// Rows on their way into the file.
pub(crate) struct Rows {
    file: ArrowWriter<File>,
    schema: SchemaRef,
    origins: Int64Builder,
    columns: Vec<StringBuilder>,
    /// What is not in the file yet.
    rows: usize,
    bytes: usize,
    /// Of the row group that is not ended yet.
    group_bytes: usize,
}

impl Rows {
    /// Begins the file `to`.
    pub(crate) fn create(to: &Path, columns: &[String]) -> anyhow::Result<Self> {
        let failed = || format!("failed to write {}", to.display());
        let mut fields = vec![Field::new(ORIGIN, DataType::Int64, false)];
        fields.extend(columns.iter().map(|name| Field::new(name, DataType::Utf8, true)));
        let schema = Arc::new(Schema::new(fields));
        // Read twice and then gone: no time is spent on finding what is alike.
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_dictionary_enabled(false)
            .build();
        let file = File::create(to).with_context(failed)?;
        let file = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties)).with_context(failed)?;
        let columns = columns.iter().map(|_| StringBuilder::new()).collect();
        Ok(Self { file, schema, origins: Int64Builder::new(), columns, rows: 0, bytes: 0, group_bytes: 0 })
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
        self.file.close().context("failed to write rows")?;
        Ok(())
    }

    fn write(&mut self) -> anyhow::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(self.origins.finish())];
        arrays.extend(self.columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef));
        self.group_bytes += self.bytes;
        (self.rows, self.bytes) = (0, 0);
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays);
        self.file.write(&batch.context("failed to write rows")?).context("failed to write rows")?;
        // A reader holds rows of one group at a time; how small they are packed says nothing of what that takes.
        if self.group_bytes >= engine::BATCH_BYTES {
            self.group_bytes = 0;
            self.file.flush().context("failed to write rows")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::AsArray as _;
    use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    #[test]
    fn rows_are_written_in_groups_of_few_bytes_and_missing_values_are_no_empty_ones() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("rows.parquet");
        let mut rows = Rows::create(&path, &["a".to_owned(), "b".to_owned()]).unwrap();
        // Packed, it is next to nothing.
        let long = "x".repeat(engine::BATCH_BYTES / 2);
        for line in 2..=20 {
            rows.add(Origin::new(0, line), [Some(long.as_str()), None]).unwrap();
        }
        rows.add(Origin::new(0, 21), [Some(""), Some("y")]).unwrap();
        rows.finish().unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
        let groups = reader.metadata().row_groups().iter().map(|group| group.num_rows());
        assert!(groups.eq([2, 2, 2, 2, 2, 2, 2, 2, 2, 2]));
        let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
        let last = batches.last().unwrap();
        assert_eq!(last["a"].as_string::<i32>().iter().last(), Some(Some("")));
        assert_eq!(last["b"].as_string::<i32>().iter().last(), Some(Some("y")));
        assert_eq!(batches[0]["b"].as_string::<i32>().iter().next(), Some(None));
    }
}
