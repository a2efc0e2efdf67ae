//! Every number exactly, so that what reads the report can go on calculating.

use std::io;

use crate::summary::{ColumnSummary, Group, Report};

/// Writes the report, which reads back as the same.
///
/// JSON knows no infinity and no NaN: a mean or a deviation becomes `null`, quartiles and the means of a group,
/// which have no `null`, are left out.
pub(super) fn render(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    let mut report = report.clone();
    report.columns.iter_mut().for_each(leave_out_what_json_lacks);
    for Group { means, .. } in report.groups.iter_mut().flat_map(|groups| &mut groups.groups) {
        means.retain(|_, mean| mean.is_finite());
    }
    serde_json::to_writer_pretty(&mut *out, &report)?;
    out.write_all(b"\n")
}

fn leave_out_what_json_lacks(column: &mut ColumnSummary) {
    column.quartiles = column.quartiles.filter(|quartiles| quartiles.iter().all(|each| each.is_finite()));
}
