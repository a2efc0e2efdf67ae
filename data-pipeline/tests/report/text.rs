use data_pipeline::report::Format;
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use crate::any_report::any_report;
use crate::{acts, rendered, samples};

#[test]
fn a_report_reads_as_the_sample_does() {
    let shown = rendered(&samples::flowers(), Format::Text);
    let sample = include_str!("../../test_data/report.txt");
    assert_eq!(shown, sample, "what came instead:\n{shown}");
}

#[test]
fn extreme_reports_fit_80_columns_and_hold_no_control_characters() {
    for report in [samples::nothing(), samples::no_rows(), samples::extreme()] {
        let shown = rendered(&report, Format::Text);
        assert_eq!(misfit(&shown), None);
    }
}

proptest! {
    #[test]
    fn any_report_fits_80_columns_and_holds_no_control_characters(report in any_report()) {
        let shown = rendered(&report, Format::Text);
        prop_assert_eq!(misfit(&shown), None);
    }
}

/// The first line that is too wide, or has characters that act on a terminal.
fn misfit(shown: &str) -> Option<&str> {
    shown.lines().find(|line| line.width() > 80 || line.contains(acts))
}
