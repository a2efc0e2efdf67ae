//! One page with its style and charts in it: it loads nothing, runs nothing, and can be sent by mail.

use std::io;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{chart, shown};
use crate::summary::{Records, Report, SourceSummary, StageTime};

mod columns;
mod groups;

const STYLE: &str = include_str!("html/style.css");
/// Even if data became markup, a browser would neither run nor load it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Writes the page.
pub(super) fn render(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { "Data pipeline report, " (shown::text(&report.generated_at)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "Data pipeline report" }
                    p.quiet { "Generated " time { (shown::text(&report.generated_at)) } }
                }
                main {
                    (overview(report))
                    (sources(&report.sources))
                    (reasons(&report.sources))
                    (stages(&report.stages))
                    @if let Some(groups) = &report.groups { (groups::section(groups)) }
                    (columns::section(&report.columns))
                }
            }
        }
    };
    out.write_all(page.into_string().as_bytes())
}

fn overview(report: &Report) -> Markup {
    let Records { read, valid, rejected } = report.records;
    let facts = [
        ("Records read", shown::count(read), None),
        ("Valid", shown::count(valid), Some(shown::percent(valid, read))),
        ("Rejected", shown::count(rejected), Some(shown::percent(rejected, read))),
        ("Sources", shown::count(report.sources.len() as u64), None),
        ("Columns", shown::count(report.columns.len() as u64), None),
        ("Time", shown::seconds(report.stages.iter().map(|stage| stage.seconds).sum()), None),
    ];
    html! {
        section {
            h2.hidden { "Overview" }
            dl.overview {
                @for (name, number, share) in facts {
                    div {
                        dt { (name) }
                        dd {
                            (number)
                            @if let Some(share) = share { " " span.quiet { (share) } }
                        }
                    }
                }
            }
        }
    }
}

fn sources(sources: &[SourceSummary]) -> Markup {
    let largest = sources.iter().map(|source| source.records.read).max().unwrap_or(0);
    section(
        "Sources",
        sources.is_empty(),
        &html! {
            p.legend aria-hidden="true" {
                span.valid {} "valid"
                span.rejected {} "rejected"
            }
            (scrolled("Records by source", &html! {
                thead { tr {
                    th scope="col" { "Source" }
                    th.number scope="col" { "Read" }
                    th.number scope="col" { "Valid" }
                    th.number scope="col" { "Rejected" }
                } }
                tbody { @for source in sources { (source_row(source, largest)) } }
            }))
        },
    )
}

fn source_row(source: &SourceSummary, largest: u64) -> Markup {
    let Records { read, valid, rejected } = source.records;
    let title = format!("{} valid, {} rejected", shown::count(valid), shown::count(rejected));
    let parts = [
        chart::Part { class: "valid", size: valid as f64 },
        chart::Part { class: "rejected", size: rejected as f64 },
    ];
    html! {
        tr {
            th scope="row" {
                (data(&source.name))
                div.quiet { (data(&source.location)) }
                (chart::bar(&title, largest as f64, &parts))
            }
            td.number { (shown::count(read)) }
            td.number { (shown::count(valid)) }
            td.number { (shown::count(rejected)) div.quiet { (shown::percent(rejected, read)) } }
        }
    }
}

fn reasons(sources: &[SourceSummary]) -> Markup {
    let most = sources.iter().flat_map(|source| &source.reasons).map(|reason| reason.records).max();
    let Some(most) = most else { return html! {} };
    section(
        "Rejected records",
        false,
        &html! {
            (scrolled("Reasons for rejection, by source", &html! {
                thead { tr {
                    th scope="col" { "Reason" }
                    th scope="col" { "Source" }
                    th.number scope="col" { "Records" }
                } }
                tbody { @for source in sources {
                    @for reason in source.reasons.iter().take(shown::REASONS) {
                        tr {
                            th scope="row" { (data(&reason.reason)) (bar("rejected", reason.records, most)) }
                            td.words { (data(&source.name)) }
                            td.number { (shown::count(reason.records)) }
                        }
                    }
                    @if let Some(rest) = shown::rest(&source.reasons) {
                        tr {
                            th.quiet scope="row" { (rest.reason) }
                            td.words { (data(&source.name)) }
                            td.number { (shown::count(rest.records)) }
                        }
                    }
                } }
            }))
        },
    )
}

fn stages(stages: &[StageTime]) -> Markup {
    let longest = stages.iter().map(|stage| stage.seconds).fold(0.0, f64::max);
    section(
        "Stages",
        stages.is_empty(),
        &html! {
            table {
                caption { "Time of each stage" }
                thead { tr { th scope="col" { "Stage" } th.number scope="col" { "Time" } } }
                tbody { @for stage in stages {
                    @let part = chart::Part { class: "time", size: stage.seconds };
                    tr {
                        th scope="row" {
                            (data(&stage.name))
                            (chart::bar(&shown::seconds(stage.seconds), longest, &[part]))
                        }
                        td.number { (shown::seconds(stage.seconds)) }
                    }
                } }
            }
        },
    )
}

fn section(title: &str, empty: bool, content: &Markup) -> Markup {
    html! {
        section {
            h2 { (title) }
            @if empty { p.quiet { "None." } } @else { (content) }
        }
    }
}

/// A table that may be wider than the page, and then scrolls in its place, by keys too.
fn scrolled(caption: &str, rows: &Markup) -> Markup {
    html! {
        div.scrolled role="region" aria-label=(caption) tabindex="0" {
            table { caption { (caption) } (rows) }
        }
    }
}

fn bar(class: &'static str, records: u64, most: u64) -> Markup {
    let part = chart::Part { class, size: records as f64 };
    chart::bar(&shown::counted(records, "record"), most as f64, &[part])
}

/// Text of the data, whose direction of writing ends where it does.
fn data(text: &str) -> Markup {
    html! { bdi { (shown::text(text)) } }
}
