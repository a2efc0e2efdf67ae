//! Tables of at most 80 columns, in which long words wrap.

use std::io;
use std::ops::Range;

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, Row, Table, TableComponent, Width, presets,
};

use super::shown;
use crate::summary::{ColumnSummary, Groups, Records, Report, SourceSummary, StageTime};

const WIDTH: u16 = 80;
/// Wide enough for the longest name of a fact: the facts of all columns then stand under each other.
const FACT: u16 = 11;

/// Writes the tables.
pub(super) fn render(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "Data pipeline report")?;
    overview(report, out)?;
    sources(&report.sources, out)?;
    reasons(&report.sources, out)?;
    stages(&report.stages, out)?;
    if let Some(groups) = &report.groups {
        by_group(groups, out)?;
    }
    report.columns.iter().try_for_each(|each| column(each, out))
}

fn overview(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    let Records { read, valid, rejected } = report.records;
    let share = shown::percent(rejected, read);
    let [read, valid, rejected] = [read, valid, rejected].map(shown::count);
    let facts = [("Read", read), ("Valid", valid), ("Rejected", format!("{rejected} ({share})"))];
    let rows = facts.into_iter().map(|(name, fact)| [name.to_owned(), fact]);
    table(["Generated", &shown::text(&report.generated_at)], rows, 0..0, out)
}

fn sources(sources: &[SourceSummary], out: &mut dyn io::Write) -> io::Result<()> {
    let rows = sources.iter().map(|source| {
        let Records { read, valid, rejected } = source.records;
        let [read, valid, rejected] = [read, valid, rejected].map(shown::count);
        [shown::text(&source.name), shown::text(&source.location), read, valid, rejected]
    });
    table(["Source", "Location", "Read", "Valid", "Rejected"], rows, 2..5, out)
}

fn reasons(sources: &[SourceSummary], out: &mut dyn io::Write) -> io::Result<()> {
    let rows = sources.iter().flat_map(|source| {
        let listed = source.reasons.iter().take(shown::REASONS).cloned();
        let listed = listed.map(|reason| (shown::text(&reason.reason), reason.records));
        let rest = shown::rest(&source.reasons).map(|rest| (rest.reason, rest.records));
        let row = |(reason, records)| [reason, shown::text(&source.name), shown::count(records)];
        listed.chain(rest).map(row)
    });
    table(["Reason for rejection", "Source", "Records"], rows, 2..3, out)
}

fn stages(stages: &[StageTime], out: &mut dyn io::Write) -> io::Result<()> {
    let rows = stages.iter().map(|stage| [shown::text(&stage.name), shown::seconds(stage.seconds)]);
    table(["Stage", "Time"], rows, 1..2, out)
}

fn by_group(groups: &Groups, out: &mut dyn io::Write) -> io::Result<()> {
    let mean = |(column, mean): (&String, &f64)| format!("{} {}", shown::text(column), shown::number(*mean));
    let rows = groups.groups.iter().map(|group| {
        let means: Vec<_> = group.means.iter().map(mean).collect();
        [shown::value(&group.value), shown::count(group.records), means.join(", ")]
    });
    table([&shown::text(&groups.by), "Records", "Means"], rows, 1..2, out)?;
    if groups.others > 0 {
        writeln!(out, "{} not shown.", shown::counted(groups.others, "smaller group"))?;
    }
    Ok(())
}

fn column(column: &ColumnSummary, out: &mut dyn io::Write) -> io::Result<()> {
    let [count, distinct, missing] = [column.count, column.distinct, column.missing].map(shown::count);
    let range = [&column.minimum, &column.maximum].map(|value| shown::optional(value.as_ref()));
    let ranged = column.minimum.is_some() || column.maximum.is_some();
    let frequent = column.most_frequent.iter().take(shown::FREQUENT);
    let frequent: Vec<_> = frequent
        .map(|each| format!("{} ({})", shown::value(&each.value), shown::count(each.records)))
        .collect();
    let facts = [
        ("Records", Some(format!("{count}, distinct {distinct}, missing {missing}"))),
        ("Range", ranged.then(|| range.join(" to "))),
        ("Quartiles", column.quartiles.map(|quartiles| quartiles.map(shown::number).join(", "))),
        ("Mean", column.mean.map(shown::number)),
        ("Deviation", column.standard_deviation.map(shown::number)),
        ("Frequent", Some(frequent.join(", ")).filter(|frequent| !frequent.is_empty())),
    ];
    let heading = format!("{} ({})", shown::text(&column.name), shown::text(&column.kind));
    let rows = facts.into_iter().filter_map(|(name, fact)| Some([name.to_owned(), fact?]));
    table(["Column", &heading], rows, 0..0, out)
}

/// Writes a table, unless it is empty; the columns `numbers` are aligned to the right.
fn table<const COLUMNS: usize>(
    headings: [&str; COLUMNS],
    rows: impl Iterator<Item = [String; COLUMNS]>,
    numbers: Range<usize>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_width(WIDTH).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_style(TableComponent::HeaderLines, '─');
    table.set_style(TableComponent::MiddleHeaderIntersections, '─');
    table.set_header(Row::from(headings)).add_rows(rows);
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if at == 0 {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(FACT)));
        }
        if numbers.contains(&at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    if table.is_empty() { Ok(()) } else { writeln!(out, "\n{}", table.trim_fmt()) }
}
