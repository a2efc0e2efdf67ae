//! Reports as runs make them, and at the limits of what they may hold.

use std::collections::BTreeMap;

use data_pipeline::summary::{
    ColumnSummary, Frequency, Group, Groups, Reason, Records, Report, SourceSummary, StageTime,
};
use serde_json::{Value, json};

/// Flowers from two files, of which some rows are bad.
pub(crate) fn flowers() -> Report {
    let stages = [("extract", 0.412), ("transform", 0.1873), ("aggregate", 0.0921), ("report", 0.000_61)];
    Report {
        generated_at: "2024-01-15T10:00:00Z".to_owned(),
        stages: stages.map(|(name, seconds)| StageTime { name: name.to_owned(), seconds }).to_vec(),
        sources: vec![
            source("iris", "/data/iris.csv", 150, &[("sepal-length > 0", 2)]),
            source(
                "garden",
                "https://example.org/measurements/2024/garden.parquet",
                12_345,
                &[("column `petal-width` is missing", 1180), ("doubled key", 27)],
            ),
        ],
        records: Records { read: 12_495, valid: 11_286, rejected: 1209 },
        columns: vec![
            ColumnSummary {
                minimum: Some(json!(4.3)),
                maximum: Some(json!(7.9)),
                mean: Some(5.843_333_333_333_334),
                standard_deviation: Some(0.828_066_127_977_863),
                quartiles: Some([5.1, 5.8, 6.4]),
                ..column("sepal-length", "number", &[(json!(5.0), 754), (json!(5.1), 677), (json!(6.3), 675)])
            },
            ColumnSummary {
                missing: 31,
                minimum: Some(json!("Iris-setosa")),
                maximum: Some(json!("Iris-virginica")),
                ..column(
                    "class",
                    "text",
                    &[
                        (json!("Iris-setosa"), 3790),
                        (json!("Iris-versicolor"), 3750),
                        (json!("Iris-virginica"), 3715),
                    ],
                )
            },
            ColumnSummary {
                minimum: Some(json!("2023-04-01T06:00:00Z")),
                maximum: Some(json!("2024-01-15T09:59:07Z")),
                ..column("measured", "time", &[(json!("2023-05-02T12:00:00Z"), 3)])
            },
            column("in bloom", "boolean", &[(json!(true), 8001), (json!(false), 3285)]),
        ],
        groups: Some(Groups {
            by: "class".to_owned(),
            groups: vec![
                group(json!("Iris-setosa"), 3790, &[("petal-length", 1.462), ("sepal-length", 5.006)]),
                group(json!("Iris-versicolor"), 3750, &[("petal-length", 4.26), ("sepal-length", 5.936)]),
                group(Value::Null, 31, &[("sepal-length", 5.4)]),
            ],
            others: 2,
        }),
    }
}

/// No sources, no records, no columns.
pub(crate) fn nothing() -> Report {
    Report {
        generated_at: String::new(),
        stages: vec![],
        sources: vec![],
        records: Records::default(),
        columns: vec![],
        groups: Some(Groups { by: String::new(), groups: vec![], others: 0 }),
    }
}

/// A report of sources without a record, and of columns without a value.
pub(crate) fn no_rows() -> Report {
    Report {
        sources: vec![source("1", "simulated", 0, &[])],
        columns: vec![ColumnSummary { count: 0, distinct: 0, ..column("empty", "number", &[]) }],
        groups: None,
        records: Records::default(),
        ..flowers()
    }
}

/// Numbers at their limits, long words, many columns, and data that means to be something else.
pub(crate) fn extreme() -> Report {
    let hostile = "</style></title><script>alert(1)</script>\u{202e}\" onload='x'\0\u{1b}[31m&amp;";
    let long = "Donaudampfschifffahrtsgesellschaft".repeat(100);
    let numbers = [
        (f64::MIN, f64::MAX, Some([-1e300, 0.0, 1e300])),
        (0.0, 0.0, Some([0.0; 3])),
        (5e-324, 1e-323, Some([5e-324, 5e-324, 1e-323])),
        (1.0, 2.0, Some([f64::NAN, f64::INFINITY, f64::NEG_INFINITY])),
        (3.0, 2.0, Some([1.0, 0.0, -1.0])),
    ];
    let wide =
        numbers.into_iter().cycle().take(200).enumerate().map(|(at, (minimum, maximum, quartiles))| {
            ColumnSummary {
                count: u64::MAX,
                missing: u64::MAX,
                minimum: Some(json!(minimum)),
                maximum: Some(json!(maximum)),
                mean: Some([f64::NAN, f64::INFINITY, 1e-300][at % 3]),
                standard_deviation: Some(f64::NEG_INFINITY),
                quartiles,
                ..column(&format!("column {at}"), "number", &[(json!(u64::MAX), u64::MAX), (json!(1e308), 1)])
            }
        });
    let odd = [hostile, &long, "", " ", "日本語の列", "עברית", "a\u{301}\u{200d}🦀\n\t"];
    let odd = odd.map(|name| ColumnSummary {
        minimum: Some(json!(name)),
        maximum: Some(json!({ name: [name] })),
        ..column(name, name, &[(json!(name), 1), (Value::Null, 0), (json!([name]), 2)])
    });
    let means: Vec<_> = (0..200).map(|at| (format!("column {at}"), f64::MAX)).collect();
    let means: Vec<_> = means.iter().map(|(name, mean)| (name.as_str(), *mean)).collect();
    Report {
        generated_at: hostile.to_owned(),
        stages: vec![
            StageTime { name: hostile.to_owned(), seconds: 1e9 },
            StageTime { name: long.clone(), seconds: 0.0 },
        ],
        sources: vec![
            source(hostile, &long, u64::MAX, &[(hostile, 1), (&long, u64::MAX)]),
            source("", "", 1, &[("reason", u64::MAX); 30]),
        ],
        records: Records { read: 1, valid: u64::MAX, rejected: u64::MAX },
        columns: odd.into_iter().chain(wide).collect(),
        groups: Some(Groups { by: long, groups: vec![group(json!(hostile), u64::MAX, &means)], others: 1 }),
    }
}

fn source(name: &str, location: &str, read: u64, reasons: &[(&str, u64)]) -> SourceSummary {
    let rejected = reasons.iter().fold(0, |sum: u64, (_, records)| sum.saturating_add(*records));
    let reasons =
        reasons.iter().map(|(reason, records)| Reason { reason: (*reason).to_owned(), records: *records });
    SourceSummary {
        name: name.to_owned(),
        location: location.to_owned(),
        records: Records { read, valid: read.saturating_sub(rejected), rejected },
        reasons: reasons.collect(),
    }
}

fn column(name: &str, kind: &str, frequent: &[(Value, u64)]) -> ColumnSummary {
    let frequent =
        frequent.iter().map(|(value, records)| Frequency { value: value.clone(), records: *records });
    ColumnSummary {
        name: name.to_owned(),
        kind: kind.to_owned(),
        count: 11_286,
        missing: 0,
        distinct: 35,
        minimum: None,
        maximum: None,
        mean: None,
        standard_deviation: None,
        quartiles: None,
        most_frequent: frequent.collect(),
    }
}

fn group(value: Value, records: u64, means: &[(&str, f64)]) -> Group {
    let means: BTreeMap<_, _> = means.iter().map(|(name, mean)| ((*name).to_owned(), *mean)).collect();
    Group { value, records, means }
}
