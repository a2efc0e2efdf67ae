//! What a file holds, as its name or its content type tells.

use datafusion::datasource::file_format::file_compression_type::FileCompressionType;

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TableFormat {
    /// With a header row.
    Csv,
    /// A document a line.
    JsonLines,
    /// Apache Parquet.
    Parquet,
}

/// A file's format, and how it is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileKind {
    pub(crate) format: TableFormat,
    /// As an extension, without a dot; none: not at all.
    compression: Option<&'static str>,
}

const COMPRESSIONS: [(&str, &str); 4] = [("gz", "gzip"), ("bz2", "bzip2"), ("xz", "xz"), ("zst", "zstd")];

impl FileKind {
    /// Reads it from a file's name: `orders.csv`, `orders.jsonl.gz`.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let compression = COMPRESSIONS.iter().find_map(|(extension, _)| {
            Some((*extension, name.strip_suffix(extension)?.strip_suffix('.')?.to_owned()))
        });
        let (compression, name) =
            compression.map_or((None, name), |(extension, rest)| (Some(extension), rest));
        let format = match name.rsplit_once('.')?.1 {
            "csv" => TableFormat::Csv,
            "jsonl" | "ndjson" | "json" => TableFormat::JsonLines,
            // It compresses its own pages.
            "parquet" if compression.is_none() => TableFormat::Parquet,
            _ => return None,
        };
        Some(Self { format, compression })
    }

    /// Reads it from an answer's `Content-Type`.
    pub(crate) fn of_content_type(value: &str) -> Option<Self> {
        let format = match value.split(';').next()?.trim().to_ascii_lowercase().as_str() {
            "text/csv" | "application/csv" => TableFormat::Csv,
            "application/jsonl"
            | "application/x-jsonlines"
            | "application/json-lines"
            | "application/ndjson"
            | "application/x-ndjson"
            | "application/json" => TableFormat::JsonLines,
            "application/vnd.apache.parquet" | "application/x-parquet" => TableFormat::Parquet,
            _ => return None,
        };
        Some(Self { format, compression: None })
    }

    /// The same, compressed as an answer's `Content-Encoding` says. None: that is not known.
    pub(crate) fn encoded(self, encoding: &str) -> Option<Self> {
        let (extension, _) = COMPRESSIONS.iter().find(|(_, coding)| encoding.eq_ignore_ascii_case(coding))?;
        Some(Self { compression: Some(extension), ..self })
    }

    /// What a file's name must end in to be of this kind.
    pub(crate) fn extension(self) -> String {
        let format = match self.format {
            TableFormat::Csv => "csv",
            TableFormat::JsonLines => "jsonl",
            TableFormat::Parquet => "parquet",
        };
        self.compression.map_or_else(|| format.to_owned(), |compression| format!("{format}.{compression}"))
    }

    /// The same in DataFusion's terms.
    pub(crate) fn compression(self) -> FileCompressionType {
        match self.compression {
            Some("gz") => FileCompressionType::GZIP,
            Some("bz2") => FileCompressionType::BZIP2,
            Some("xz") => FileCompressionType::XZ,
            Some("zst") => FileCompressionType::ZSTD,
            _ => FileCompressionType::UNCOMPRESSED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_format_and_compression() {
        for (name, expected) in [
            ("a.csv", Some("csv")),
            ("A.CSV.GZ", Some("csv.gz")),
            ("a.b.ndjson.zst", Some("jsonl.zst")),
            ("a.json.bz2", Some("jsonl.bz2")),
            ("a.jsonl.xz", Some("jsonl.xz")),
            ("a.parquet", Some("parquet")),
            ("a.parquet.gz", None),
            ("a.gz", None),
            ("csv", None),
            ("a.xlsx", None),
        ] {
            assert_eq!(FileKind::of_name(name).map(FileKind::extension).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn a_content_type_tells_the_format_whatever_its_parameters() {
        let kind = FileKind::of_content_type("text/CSV; charset=utf-8").unwrap();
        assert_eq!(kind.extension(), "csv");
        assert_eq!(kind.encoded("gzip").unwrap().extension(), "csv.gz");
        assert_eq!(kind.encoded("br"), None);
        assert_eq!(FileKind::of_content_type("text/html"), None);
    }
}
