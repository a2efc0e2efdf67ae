//! CSV and JSON lines into one normal form: rows that cannot be read are set aside.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use records::lines::{Line, Lines};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::format::{FileKind, TableFormat};
use crate::normal::Rows;
use crate::rejects::{Origin, Rejects};
use crate::types::SAMPLE;

/// What a CSV record may have at most: an unclosed quote would else take in the rest of the file.
const MAX_RECORD: u64 = 16 << 20;

/// Rows are counted and a stop is looked for every so many rows.
const EVERY: u64 = 1024;

/// A file of a source.
pub(crate) struct Input {
    pub(crate) path: PathBuf,
    pub(crate) kind: FileKind,
    /// What people know it by.
    pub(crate) origin: String,
}

impl Input {
    fn open(&self) -> anyhow::Result<Box<dyn Read + Send>> {
        let file =
            File::open(&self.path).with_context(|| format!("failed to open {}", self.path.display()))?;
        let failed = || format!("failed to decompress {}", self.origin);
        self.kind.compression().convert_read(file).with_context(failed)
    }
}

/// The columns of a source.
#[derive(Debug, PartialEq)]
pub(crate) struct Header {
    pub(crate) columns: Vec<String>,
    /// For each, whether the file writes its values as text, so that none of them is a number.
    pub(crate) is_text: Vec<bool>,
}

/// Who hears of rows, `EVERY` of them at a time, and may end the work by an error.
pub(crate) type Tick<'a> = &'a dyn Fn(u64) -> anyhow::Result<()>;

/// Reads the source's columns.
///
/// # Errors
/// A file cannot be read, or has other columns than the one before.
pub(crate) fn header(inputs: &[Input]) -> anyhow::Result<Header> {
    match inputs[0].kind.format {
        TableFormat::JsonLines => json_header(inputs),
        _ => csv_header(inputs),
    }
}

fn csv_header(inputs: &[Input]) -> anyhow::Result<Header> {
    let mut first: Option<Vec<String>> = None;
    for input in inputs {
        let origin = &input.origin;
        let mut reader = csv_reader(input.open()?);
        let record = reader.headers().with_context(|| format!("failed to read the header of {origin}"))?;
        let columns: Vec<String> = record.iter().map(|name| name.trim().to_owned()).collect();
        if columns.iter().all(String::is_empty) {
            bail!("{origin} has no header");
        }
        let mut names = BTreeSet::new();
        if let Some(column) =
            columns.iter().find(|column| column.is_empty() || !names.insert(column.as_str()))
        {
            bail!("the header of {origin} has the column `{column}` twice, or without a name");
        }
        if *first.get_or_insert_with(|| columns.clone()) != columns {
            bail!("{origin} has other columns than {}", inputs[0].origin);
        }
    }
    let columns = first.context("a source has a file")?;
    Ok(Header { is_text: vec![false; columns.len()], columns })
}

/// The columns of the first documents together, in the order of their names.
fn json_header(inputs: &[Input]) -> anyhow::Result<Header> {
    let mut columns = BTreeMap::<String, (u64, u64)>::new();
    let mut sampled = 0;
    'sample: for input in inputs {
        let mut lines = Lines::new(input.open()?);
        while let Some(line) =
            lines.next_line().with_context(|| format!("failed to read {}", input.origin))?
        {
            let Line::Whole { bytes, .. } = line else { continue };
            let Ok(document) = serde_json::from_slice::<Document>(bytes) else { continue };
            for (name, value) in document {
                let (values, texts) = columns.entry(name).or_default();
                *values += u64::from(value.get() != "null");
                *texts += u64::from(value.get().starts_with('"'));
            }
            sampled += 1;
            if sampled == SAMPLE {
                break 'sample;
            }
        }
    }
    if columns.is_empty() {
        bail!("{} has no JSON documents, one a line", inputs[0].origin);
    }
    let is_text = columns.values().map(|(values, texts)| texts * 20 > *values).collect();
    Ok(Header { columns: columns.into_keys().collect(), is_text })
}

/// A document's values as they stand in it: a number keeps all of its digits.
type Document<'a> = BTreeMap<String, &'a RawValue>;

/// A value as text: of a text what it says, of anything else how it is written. None where there is no value.
fn text_of(value: &RawValue) -> serde_json::Result<Option<Cow<'_, str>>> {
    Ok(match value.get().as_bytes().first() {
        Some(b'n') => None,
        Some(b'"') => Some(Cow::Owned(serde_json::from_str(value.get())?)),
        Some(b'{' | b'[') => Some(Cow::Owned(serde_json::from_str::<Value>(value.get())?.to_string())),
        _ => Some(Cow::Borrowed(value.get())),
    })
}

/// Writes all rows that can be read to `to`, sets the others aside, and says how many there were in all.
pub(crate) fn normalise(
    inputs: &[Input],
    header: &Header,
    to: &Path,
    rejects: &mut Rejects,
    tick: Tick<'_>,
) -> anyhow::Result<u64> {
    let mut rows = Rows::create(to, &header.columns)?;
    let mut read = 0;
    for (part, input) in inputs.iter().enumerate() {
        let mut sink = Sink { part, header, rows: &mut rows, rejects, read: &mut read, tick };
        match input.kind.format {
            TableFormat::JsonLines => json_rows(input, &mut sink)?,
            _ => csv_rows(input, &mut sink)?,
        }
    }
    rows.finish()?;
    Ok(read)
}

/// Where the rows of a file go.
struct Sink<'a> {
    part: usize,
    header: &'a Header,
    rows: &'a mut Rows,
    rejects: &'a mut Rejects,
    read: &'a mut u64,
    tick: Tick<'a>,
}

impl Sink<'_> {
    fn count(&mut self) -> anyhow::Result<()> {
        *self.read += 1;
        if self.read.is_multiple_of(EVERY) { (self.tick)(EVERY) } else { Ok(()) }
    }

    fn accept<'a>(
        &mut self,
        line: u64,
        fields: impl IntoIterator<Item = Option<&'a str>>,
    ) -> anyhow::Result<()> {
        self.rows.add(Origin::new(self.part, line), fields)
    }

    fn reject<'a>(
        &mut self,
        line: u64,
        reason: &str,
        fields: impl IntoIterator<Item = &'a [u8]>,
    ) -> anyhow::Result<()> {
        self.rejects
            .add(Origin::new(self.part, line), reason, fields)
            .context("failed to write rejected records")
    }
}

fn csv_reader<R: Read>(input: R) -> csv::Reader<Bounded<R>> {
    let input = Bounded { input, left: MAX_RECORD };
    csv::ReaderBuilder::new().flexible(true).buffer_capacity(1 << 18).from_reader(input)
}

fn csv_rows(input: &Input, sink: &mut Sink<'_>) -> anyhow::Result<()> {
    let mut reader = csv_reader(input.open()?);
    let mut record = csv::ByteRecord::new();
    let failed = |line: u64| format!("failed to read {} from line {line} on", input.origin);
    reader.byte_headers().with_context(|| failed(1))?;
    let mut last = 1;
    loop {
        reader.get_mut().left = MAX_RECORD;
        let line = reader.position().line();
        if !reader.read_byte_record(&mut record).with_context(|| failed(line))? {
            return Ok(());
        }
        sink.count()?;
        // Lines are counted by line feeds, records end at a lone carriage return too: each has a number of its own.
        let line = record.position().map_or(line, csv::Position::line).max(last + 1);
        last = line;
        if record.len() != sink.header.columns.len() {
            sink.reject(line, "wrong number of columns", &record)?;
            continue;
        }
        let fields: Result<Vec<&str>, _> = record.iter().map(std::str::from_utf8).collect();
        match fields {
            Ok(fields) => sink.accept(
                line,
                fields.into_iter().map(|field| Some(field).filter(|field| !field.is_empty())),
            )?,
            Err(_) => sink.reject(line, "not UTF-8", &record)?,
        }
    }
}

fn json_rows(input: &Input, sink: &mut Sink<'_>) -> anyhow::Result<()> {
    let mut lines = Lines::new(input.open()?);
    while let Some(line) = lines.next_line().with_context(|| format!("failed to read {}", input.origin))? {
        let (number, bytes) = match line {
            Line::Whole { number, bytes, .. } => (number, bytes),
            Line::TooLong { number, .. } => {
                sink.count()?;
                sink.reject(number, "longer than 1 MiB", [])?;
                continue;
            }
        };
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        sink.count()?;
        let read = serde_json::from_slice::<Document>(bytes).and_then(|mut document| {
            let columns = sink.header.columns.iter();
            let fields = columns.map(|column| document.remove(column).map_or(Ok(None), text_of));
            Ok((fields.collect::<Result<Vec<_>, _>>()?, document.is_empty()))
        });
        match read {
            Ok((fields, true)) => sink.accept(number, fields.iter().map(Option::as_deref))?,
            Ok((_, false)) => {
                sink.reject(number, "a column that the first records do not have", [bytes])?;
            }
            Err(_) => sink.reject(number, "no JSON object", [bytes])?,
        }
    }
    Ok(())
}

/// Gives up where more is read than a record may have.
struct Bounded<R> {
    input: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other("a record of more than 16 MiB: is a quote not closed?"));
        }
        let read = self.input.read(buffer)?;
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
    use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReader;

    use super::*;

    fn inputs(place: &Path, files: &[(&str, &[u8])]) -> Vec<Input> {
        let input = |(name, content): &(&str, &[u8])| {
            let path = place.join(name);
            std::fs::write(&path, content).unwrap();
            Input { path, kind: FileKind::of_name(name).unwrap(), origin: (*name).to_owned() }
        };
        files.iter().map(input).collect()
    }

    /// The normal form, the rejects and the number of rows.
    fn normal(files: &[(&str, &[u8])]) -> (String, String, u64) {
        let place = tempfile::tempdir().unwrap();
        let inputs = inputs(place.path(), files);
        let header = header(&inputs).unwrap();
        let to = place.path().join("rows.parquet");
        let origins = inputs.iter().map(|input| input.origin.clone()).collect();
        let mut rejects = Rejects::new(place.path(), "x", origins, &header.columns);
        let read = normalise(&inputs, &header, &to, &mut rejects, &|_| Ok(())).unwrap();
        rejects.publish().unwrap();
        let rejected = std::fs::read(place.path().join("rejects-x.csv")).unwrap_or_default();
        let rejected = String::from_utf8_lossy(&rejected).into_owned();
        (shown(&to), rejected, read)
    }

    /// The rows with their origins: a missing value is a dash.
    fn shown(path: &Path) -> String {
        let reader = ParquetRecordBatchReader::try_new(File::open(path).unwrap(), 1024).unwrap();
        let mut shown = String::new();
        for batch in reader.map(Result::unwrap) {
            let options = FormatOptions::default().with_null("-");
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
                .collect();
            for row in 0..batch.num_rows() {
                let fields: Vec<String> =
                    columns.iter().map(|column| column.value(row).to_string()).collect();
                shown += &(fields.join(",") + "\n");
            }
        }
        shown
    }

    #[test]
    fn csv_rows_of_another_width_or_encoding_are_set_aside_with_their_lines() {
        let content = b"a,b\n1,\"x\ny\"\n\n2\n3,4,5\n6,\xff\n7,\n";
        let (normal, rejects, read) = normal(&[("a.csv", content)]);
        assert_eq!(normal, "2,1,x\ny\n8,7,-\n");
        assert!(rejects.starts_with("file,line,rule,a,b\na.csv,4,wrong number of columns,2,\n"), "{rejects}");
        assert!(rejects.contains("a.csv,6,wrong number of columns,3,\"4,5\"\n"), "{rejects}");
        assert!(rejects.contains("a.csv,7,not UTF-8,6,"), "{rejects}");
        assert_eq!(read, 5);
    }

    #[test]
    fn csv_rows_that_end_in_carriage_returns_have_lines_of_their_own() {
        let (normal, rejects, read) = normal(&[("a.csv", b"a,b\r1,2\r3\r4,5\n6,7\r8,9\n")]);
        assert_eq!(normal, "2,1,2\n4,4,5\n5,6,7\n6,8,9\n");
        assert_eq!(rejects, "file,line,rule,a,b\na.csv,3,wrong number of columns,3,\n");
        assert_eq!(read, 5);
    }

    #[test]
    fn json_documents_have_the_columns_of_the_first_ones() {
        let documents: Vec<String> = (0..SAMPLE).map(|n| format!("{{\"n\":{n},\"t\":\"{n}\"}}\n")).collect();
        let content = documents.concat()
            + "{\"n\":null}\n\n{\"m\":1}\nnot JSON\n[1]\n{\"n\":\"\",\"t\":{\"x\": [1]}}\n{\"n\":\"\\ud800\"}\n";
        let (normal, rejects, read) = normal(&[("a.jsonl", content.as_bytes())]);
        assert!(normal.starts_with("1,0,0\n2,1,1\n"), "{normal}");
        assert!(normal.ends_with("1001,-,-\n1006,,{\"x\":[1]}\n"), "{normal}");
        assert!(rejects.contains("a.jsonl,1003,a column that the first records do not have,"), "{rejects}");
        assert!(rejects.contains("a.jsonl,1004,no JSON object,not JSON,\n"), "{rejects}");
        assert!(rejects.contains("a.jsonl,1007,no JSON object,"), "{rejects}");
        assert_eq!(read, 1006);
    }

    #[test]
    fn numbers_of_json_keep_all_of_their_digits() {
        let content =
            "{\"n\":123456789012345678901234567890,\"f\":1e2,\"t\":\"\\u0031\"}\n{\"n\":-0.10,\"f\":true}\n";
        let (normal, _, _) = normal(&[("a.jsonl", content.as_bytes())]);
        assert_eq!(normal, "1,1e2,123456789012345678901234567890,1\n2,true,-0.10,-\n");
    }

    #[test]
    fn what_json_writes_as_text_is_no_number() {
        let place = tempfile::tempdir().unwrap();
        let inputs = inputs(place.path(), &[("a.jsonl", b"{\"n\":1,\"t\":\"1\"}\n{\"n\":2,\"t\":\"2\"}\n")]);
        assert_eq!(header(&inputs).unwrap().is_text, [false, true]);
    }

    #[test]
    fn a_quote_that_is_never_closed_ends_the_work_in_bounded_memory() {
        let mut content = b"a,b\n1,\"".to_vec();
        content.resize(40 << 20, b'x');
        let mut reader = csv_reader(content.as_slice());
        let error = reader.read_byte_record(&mut csv::ByteRecord::new()).map(drop);
        let error = error.and_then(|()| reader.read_byte_record(&mut csv::ByteRecord::new())).unwrap_err();
        assert!(error.to_string().contains("is a quote not closed?"), "{error}");
    }

    #[test]
    fn files_of_one_source_have_the_same_columns_each_once() {
        let place = tempfile::tempdir().unwrap();
        let error = |files: &[(&str, &[u8])]| header(&inputs(place.path(), files)).unwrap_err().to_string();
        assert_eq!(error(&[("a.csv", b"a,b\n"), ("b.csv", b"a,c\n")]), "b.csv has other columns than a.csv");
        assert!(error(&[("a.csv", b"a,a\n")]).contains("twice"));
        assert_eq!(error(&[("a.csv", b"")]), "a.csv has no header");
        assert!(error(&[("a.jsonl", b"1\n")]).contains("no JSON documents"));
    }
}
