//! The same records in every format say the same.

use datafusion::common::parsers::CompressionTypeVariant;
use datafusion::config::{CsvOptions, JsonOptions};
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::prelude::{CsvReadOptions, SessionContext};
use serde_json::json;

use crate::{Place, comparable};

const ROWS: usize = 500;

fn table() -> String {
    let rows = (0..ROWS).map(|n| {
        let name = if n % 7 == 0 { String::new() } else { format!("\"x, {}\"", n % 11) };
        format!("{n},{}.25,{},{name},2024-01-{:02}T00:00:{:02}\n", n * 3, n % 3 == 0, n % 28 + 1, n % 60)
    });
    format!("id,amount,open,name,time\n{}", rows.collect::<String>())
}

/// Writes the table in all formats, with DataFusion's own writers.
async fn write_all(place: &Place) -> Vec<String> {
    let session = SessionContext::new();
    let path = place.write("table.csv", table());
    let table = session.read_csv(&path, CsvReadOptions::new()).await.unwrap();
    let at = |name: &str| place.path(name).to_str().unwrap().to_owned();
    let one = || DataFrameWriteOptions::new().with_single_file_output(true);
    let mut paths = vec![path.clone()];
    for (extension, compression) in [
        ("gz", CompressionTypeVariant::GZIP),
        ("bz2", CompressionTypeVariant::BZIP2),
        ("xz", CompressionTypeVariant::XZ),
        ("zst", CompressionTypeVariant::ZSTD),
    ] {
        let csv = at(&format!("table.csv.{extension}"));
        let options = CsvOptions::default().with_has_header(true).with_compression(compression);
        table.clone().write_csv(&csv, one(), Some(options)).await.unwrap();
        let json = at(&format!("table.jsonl.{extension}"));
        let options = JsonOptions { compression, ..JsonOptions::default() };
        table.clone().write_json(&json, one(), Some(options)).await.unwrap();
        paths.extend([csv, json]);
    }
    let (json, parquet) = (at("table.ndjson"), at("table.parquet"));
    table.clone().write_json(&json, one(), None).await.unwrap();
    table.write_parquet(&parquet, one(), None).await.unwrap();
    paths.extend([json, parquet]);
    paths
}

#[tokio::test]
async fn csv_json_lines_and_parquet_compressed_or_not_give_the_same_aggregates() {
    let place = Place::new();
    let paths = write_all(&place).await;
    let columns = |path: &str| {
        let mut columns = comparable(place.report_of(path, &[]));
        columns.sort_by(|a, b| a.name.cmp(&b.name));
        columns
    };
    let expected = columns(&paths[0]);
    assert_eq!(expected.len(), 5);
    assert!(expected.iter().all(|column| column.count == ROWS as u64));
    for path in &paths[1..] {
        assert_eq!(columns(path), expected, "{path}");
    }
}

#[test]
fn a_glob_is_one_source_of_all_files_that_match() {
    let place = Place::new();
    for part in 1..=3 {
        place.write(&format!("part-{part}.csv"), format!("id,n\n{part},x\n{part}\n1{part},y\n"));
    }
    let pattern = place.path("part-*.csv").to_str().unwrap().to_owned();
    let report = place.report_of(&pattern, &["--max-rejected", "50%"]);
    assert_eq!((report.sources.len(), report.sources[0].name.as_str()), (1, "part"));
    assert_eq!((report.records.read, report.records.valid), (9, 6));
    let second = place.path("part-2.csv");
    assert!(place.rejects("part").contains(&format!("{},3,wrong number of columns,2,\n", second.display())));
}

#[tokio::test]
async fn a_glob_of_parquet_files_is_one_source_too() {
    let place = Place::new();
    let session = SessionContext::new();
    for part in 1..=2 {
        let rows = session.sql(&format!("SELECT {part} AS n, 'x' AS t")).await.unwrap();
        let path = place.path(&format!("part-{part}.parquet"));
        let one = DataFrameWriteOptions::new().with_single_file_output(true);
        rows.write_parquet(path.to_str().unwrap(), one, None).await.unwrap();
    }
    let report = place.report_of(place.path("part-*.parquet").to_str().unwrap(), &[]);
    assert_eq!(report.records.valid, 2);
    assert_eq!(crate::column(&report, "n").mean, Some(1.5));
    let rules = place.write("rules.toml", "[[rule]]\nname = 'first'\ncheck = 'n < 2'\n");
    let pattern = place.path("part-*.parquet").to_str().unwrap().to_owned();
    place.report_of(&pattern, &["--rules-file", &rules, "--max-rejected", "1"]);
    assert!(place.rejects("part").starts_with(&format!("file,line,rule,n,t\n{pattern},")), "all of them");
}

#[tokio::test]
async fn keys_of_parquet_are_compared_as_the_file_has_them() {
    let place = Place::new();
    let session = SessionContext::new();
    for kind in ["'UInt64'", "'Decimal128(30, 2)'", "'Decimal128(18, 0)'"] {
        let row = |id: u64| format!("SELECT arrow_cast({id}, {kind}) AS id");
        let rows = [1 << 53, (1 << 53) + 1, 1 << 53].map(row).join(" UNION ALL ");
        let path = place.path("a.parquet");
        let one = DataFrameWriteOptions::new().with_single_file_output(true);
        let rows = session.sql(&rows).await.unwrap();
        rows.write_parquet(path.to_str().unwrap(), one, None).await.unwrap();
        let report = place.report_of(path.to_str().unwrap(), &["--max-rejected", "1"]);
        assert_eq!((report.records.valid, report.records.rejected), (2, 1), "{kind}");
        assert!(place.rejects("a").contains(",doubled key,9007199254740992"), "{kind}");
        std::fs::remove_file(path).unwrap();
    }
}

#[tokio::test]
async fn numbers_of_parquet_that_a_double_would_round_are_counted_and_told_as_they_are() {
    let session = SessionContext::new();
    for (kind, factor, least, greatest) in [
        ("'UInt64'", "", json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_995_u64)),
        ("'Decimal128(38, 2)'", "00.25", json!("900719925474099300.25"), json!("900719925474099500.25")),
        (
            "'Decimal256(60, 0)'",
            "000000000000000000000000000001",
            json!("9007199254740993000000000000000000000000000001"),
            json!("9007199254740995000000000000000000000000000001"),
        ),
    ] {
        let place = Place::new();
        let value = |last: u64| format!("SELECT arrow_cast('900719925474099{last}{factor}', {kind}) AS n");
        let rows = [3, 4, 5, 4].map(value).join(" UNION ALL ");
        let path = place.path("a.parquet");
        let one = DataFrameWriteOptions::new().with_single_file_output(true);
        let rows = session.sql(&rows).await.unwrap();
        rows.write_parquet(path.to_str().unwrap(), one, None).await.unwrap();
        let report = place.report_of(path.to_str().unwrap(), &["--group-by", "n"]);
        let n = crate::column(&report, "n");
        assert_eq!((n.kind.as_str(), n.count, n.distinct), ("number", 4, 3), "{kind}");
        assert_eq!((n.minimum.as_ref(), n.maximum.as_ref()), (Some(&least), Some(&greatest)), "{kind}");
        let counts = n.most_frequent.iter().map(|frequency| frequency.records);
        assert!(counts.eq([2, 1, 1]), "{kind}: {n:?}");
        let expected = format!("9007199254740994{factor}").parse::<f64>().unwrap();
        // These are doubles, to their last digit but one.
        for number in [n.mean.unwrap(), n.quartiles.unwrap()[1]] {
            assert!((number / expected - 1.0).abs() < 1e-15, "{kind}: {number}");
        }
        assert_eq!(report.groups.unwrap().groups.len(), 3, "{kind}");
    }
}

#[test]
fn columns_of_json_with_numbers_too_long_for_64_bits_keep_their_digits() {
    let place = Place::new();
    let documents = (0..10).map(|digit| format!("{{\"n\":12345678901234567890123456789{digit}}}\n"));
    let source = place.write("a.jsonl", documents.collect::<String>());
    let report = place.report_of(&source, &[]);
    let n = crate::column(&report, "n");
    assert_eq!((n.kind.as_str(), n.distinct), ("text", 10));
    assert_eq!(n.maximum, Some("123456789012345678901234567899".into()));
}

#[test]
fn a_table_without_records_has_a_report_all_the_same() {
    let place = Place::new();
    let source = place.write("a.csv", "id,n\n");
    let report = place.report_of(&source, &["--group-by", "n"]);
    assert_eq!((report.records.read, report.columns.len()), (0, 2));
    assert!(report.groups.unwrap().groups.is_empty());
}
