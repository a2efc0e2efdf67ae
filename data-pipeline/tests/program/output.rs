//! What a run prints, byte for byte.

use data_pipeline::summary::Records;

use crate::{Ended, Place, column, comparable};

const EXPECTED: &str = "\
[TIME] Starting data pipeline...
=== Stage 1: Data Extraction ===
Extracting from source 1/3...
Extracting from source 2/3...
Extracting from source 3/3...
✓ Extraction completed: 3 sources

=== Stage 2: Data Transformation ===
Transforming source 1...
Transforming source 2...
Transforming source 3...
✓ Transformation completed: 3 sources validated

=== Stage 3: Data Aggregation ===
Aggregating data...
✓ Aggregation completed: 150 records

=== Stage 4: Report Generation ===
Generating report...
✓ Report generated: REPORT

=== Stage 5: Cleanup ===
Cleaning temporary files...
✓ Cleanup completed: 3 files removed

Pipeline completed successfully!
";

/// The lines with `TIME` in the place of the time that the first one must begin with.
fn without_time(ended: &Ended) -> String {
    let (time, rest) = ended.stdout.strip_prefix('[').unwrap().split_once(']').unwrap();
    jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", time).unwrap();
    assert_eq!(time.len(), "2024-01-15 10:00:00".len());
    format!("[TIME]{rest}")
}

#[test]
fn the_default_settings_print_what_the_documentation_shows() {
    let place = Place::new();
    let ended = place.succeed(&[]);
    let report = &place.reports()[0];
    let name = report.file_name().unwrap().to_str().unwrap();
    let stamp = name.strip_prefix("report-").unwrap().strip_suffix(".json").unwrap();
    jiff::civil::DateTime::strptime("%Y-%m-%d-%H-%M-%S", stamp).unwrap();
    assert_eq!(without_time(&ended).replace(report.to_str().unwrap(), "REPORT"), EXPECTED);
    place.assert_clean();
}

#[test]
fn the_default_report_is_of_150_valid_records_from_three_sources() {
    let place = Place::new();
    place.succeed(&[]);
    let report = place.report();
    assert_eq!(report.records, Records { read: 150, valid: 150, rejected: 0 });
    let names: Vec<&str> = report.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["source-1", "source-2", "source-3"]);
    assert!(report.sources.iter().all(|source| source.records.valid == 50 && source.reasons.is_empty()));
    let stages: Vec<&str> = report.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(stages, ["extract", "transform", "aggregate"]);
    let kinds: Vec<_> =
        report.columns.iter().map(|column| (column.name.as_str(), column.kind.as_str())).collect();
    assert_eq!(
        kinds,
        [
            ("id", "number"),
            ("time", "time"),
            ("product", "text"),
            ("region", "text"),
            ("quantity", "number"),
            ("amount", "number"),
            ("returned", "boolean")
        ]
    );
    let id = column(&report, "id");
    assert_eq!(
        (id.count, id.distinct, id.mean, id.quartiles),
        (150, 50, Some(25.5), Some([13.0, 25.5, 38.0]))
    );
    report.generated_at.parse::<jiff::Timestamp>().unwrap();
}

#[test]
fn simulated_sources_are_the_same_for_the_same_seed() {
    let place = Place::new();
    let [first, again, other] =
        ["1", "1", "2"].map(|seed| comparable(place.report_of("2", &["--seed", seed])));
    assert_eq!(first, again);
    assert_ne!(first, other);
}

#[test]
fn reports_come_in_every_format_that_is_asked_for() {
    let place = Place::new();
    let ended = place.succeed(&["--report-format", "json,text,html"]);
    let reports = place.reports();
    let extensions: Vec<&str> =
        reports.iter().map(|path| path.extension().unwrap().to_str().unwrap()).collect();
    assert_eq!(extensions, ["html", "json", "txt"]);
    for report in &reports {
        assert!(ended.stdout.contains(report.to_str().unwrap()), "{ended:?}");
    }
}

#[test]
fn a_report_that_is_there_is_never_overwritten() {
    let place = Place::new();
    for runs in 1..=3 {
        place.succeed(&["--data-sources", "1"]);
        assert_eq!(place.reports().len(), runs);
    }
}

#[test]
fn standard_output_that_nobody_reads_fails_no_run() {
    let place = Place::new();
    let mut child = place.command(&[]).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
    place.report();
}
