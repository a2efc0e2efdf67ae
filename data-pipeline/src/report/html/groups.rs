//! The records by the values of one column.

use std::collections::BTreeSet;

use maud::{Markup, html};

use crate::report::shown;
use crate::summary::Groups;

pub(super) fn section(groups: &Groups) -> Markup {
    let by = shown::text(&groups.by);
    let most = groups.groups.iter().map(|group| group.records).max().unwrap_or(0);
    let columns: BTreeSet<_> = groups.groups.iter().flat_map(|group| group.means.keys()).collect();
    let content = html! {
        (super::scrolled(&format!("Records and means by {by}"), &html! {
            thead { tr {
                th scope="col" { bdi { (by) } }
                th.number scope="col" { "Records" }
                @for column in &columns { th.number.words scope="col" { "Mean of " (super::data(column)) } }
            } }
            tbody { @for group in &groups.groups {
                tr {
                    th scope="row" {
                        bdi { (shown::value(&group.value)) }
                        (super::bar("valid", group.records, most))
                    }
                    td.number { (shown::count(group.records)) }
                    @for column in &columns {
                        td.number {
                            @match group.means.get(*column) {
                                Some(mean) => (shown::number(*mean)),
                                None => (shown::NONE),
                            }
                        }
                    }
                }
            } }
        }))
        @if groups.others > 0 {
            p.quiet { (shown::counted(groups.others, "smaller group")) " not shown." }
        }
    };
    super::section(&format!("Groups by {by}"), groups.groups.is_empty(), &content)
}
