//! What each column holds.

use maud::{Markup, html};
use serde_json::Value;

use crate::report::{chart, shown};
use crate::summary::ColumnSummary;

pub(super) fn section(columns: &[ColumnSummary]) -> Markup {
    super::section(
        "Columns",
        columns.is_empty(),
        &html! {
            div.columns { @for column in columns { (card(column)) } }
        },
    )
}

fn card(column: &ColumnSummary) -> Markup {
    html! {
        article {
            h3 { (super::data(&column.name)) " " span.kind { (super::data(&column.kind)) } }
            @if let Some(plot) = chart::box_plot(column) {
                figure {
                    (plot)
                    figcaption aria-hidden="true" {
                        span { (shown::optional(column.minimum.as_ref())) }
                        span { (shown::optional(column.maximum.as_ref())) }
                    }
                }
            }
            dl.facts {
                @for (name, fact) in facts(column) {
                    div.wide[is_long(&fact)] { dt { (name) } dd { bdi { (fact) } } }
                }
            }
            @if !column.most_frequent.is_empty() { (most_frequent(column)) }
        }
    }
}

fn facts(column: &ColumnSummary) -> Vec<(&'static str, String)> {
    let missing = match column.missing {
        0 => shown::count(0),
        missing => {
            let share = shown::percent(missing, column.count);
            format!("{} ({share})", shown::count(missing))
        }
    };
    let number = |number: Option<f64>| number.map(shown::number);
    let value = |value: &Option<Value>| value.as_ref().map(shown::value);
    let [lower, median, upper] = column.quartiles.map_or([None; 3], |quartiles| quartiles.map(Some));
    // Two lie side by side on most screens, and these pairs belong together.
    let facts = [
        ("Records", Some(shown::count(column.count))),
        ("Missing", Some(missing)),
        ("Distinct", Some(shown::count(column.distinct))),
        ("Median", number(median)),
        ("Mean", number(column.mean)),
        ("Standard deviation", number(column.standard_deviation)),
        ("Minimum", value(&column.minimum)),
        ("Maximum", value(&column.maximum)),
        ("Lower quartile", number(lower)),
        ("Upper quartile", number(upper)),
    ];
    facts.into_iter().filter_map(|(name, fact)| Some((name, fact?))).collect()
}

/// Whether a fact takes more than half the card.
fn is_long(fact: &str) -> bool {
    fact.chars().count() > 16
}

fn most_frequent(column: &ColumnSummary) -> Markup {
    let most = column.most_frequent.iter().map(|frequency| frequency.records).max().unwrap_or(0);
    html! {
        table {
            caption { "Most frequent values" span.hidden { " of " (super::data(&column.name)) } }
            thead.hidden { tr { th scope="col" { "Value" } th scope="col" { "Records" } } }
            tbody { @for frequency in column.most_frequent.iter().take(shown::FREQUENT) {
                tr {
                    th scope="row" {
                        bdi { (shown::value(&frequency.value)) }
                        (super::bar("valid", frequency.records, most))
                    }
                    td.number { (shown::count(frequency.records)) }
                }
            } }
        }
    }
}
