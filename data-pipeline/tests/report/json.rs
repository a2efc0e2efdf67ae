use data_pipeline::report::Format;
use data_pipeline::summary::{ColumnSummary, Group, Report};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::any_report::any_report;
use crate::{rendered, samples};

proptest! {
    #[test]
    fn a_report_reads_back_exactly_but_for_numbers_that_json_lacks(report in any_report()) {
        let json = rendered(&report, Format::Json);
        let read: Report = serde_json::from_str(&json).expect("the report is JSON");
        prop_assert_eq!(read, without_what_json_lacks(report));
    }
}

#[test]
fn the_report_has_the_names_that_its_readers_know() {
    let report: Value = serde_json::from_str(&rendered(&samples::flowers(), Format::Json)).unwrap();
    assert_eq!(report["generated_at"], "2024-01-15T10:00:00Z");
    assert_eq!(report["stages"][0], json!({ "name": "extract", "seconds": 0.412 }));
    assert_eq!(report["records"], json!({ "read": 12495, "valid": 11286, "rejected": 1209 }));
    assert_eq!(report["sources"][0]["reasons"], json!([{ "reason": "sepal-length > 0", "records": 2 }]));
    assert_eq!(report["columns"][0]["mean"], json!(5.843333333333334));
    assert_eq!(report["columns"][0]["quartiles"], json!([5.1, 5.8, 6.4]));
    assert_eq!(report["columns"][1]["mean"], Value::Null);
    assert_eq!(report["groups"]["groups"][1]["means"]["petal-length"], json!(4.26));
}

#[test]
fn numbers_at_their_limits_read_back() {
    for report in [samples::nothing(), samples::no_rows(), samples::extreme()] {
        let read: Report = serde_json::from_str(&rendered(&report, Format::Json)).unwrap();
        assert_eq!(read, without_what_json_lacks(report));
    }
}

fn without_what_json_lacks(mut report: Report) -> Report {
    for ColumnSummary { mean, standard_deviation, quartiles, .. } in &mut report.columns {
        *mean = mean.filter(|mean| mean.is_finite());
        *standard_deviation = standard_deviation.filter(|deviation| deviation.is_finite());
        *quartiles = quartiles.filter(|quartiles| quartiles.iter().all(|each| each.is_finite()));
    }
    for Group { means, .. } in report.groups.iter_mut().flat_map(|groups| &mut groups.groups) {
        means.retain(|_, mean| mean.is_finite());
    }
    for column in &mut report.columns {
        // `null` is how both read: a column without a minimum, and one whose minimum is `null`.
        column.minimum = column.minimum.take().filter(|value| !value.is_null());
        column.maximum = column.maximum.take().filter(|value| !value.is_null());
    }
    report
}
