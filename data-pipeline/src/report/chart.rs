//! Charts as inline SVG that is as wide as its place: shapes lie at percentages, and words stay outside, where
//! they keep their size and wrap.

use maud::{Markup, html};
use serde_json::Value;

use super::shown;
use crate::summary::ColumnSummary;

/// The least that is drawn of what is not nothing, in percent of the width.
const VISIBLE: f64 = 0.5;
/// A box plot's whiskers end so far from its edges, in percent of the width.
const MARGIN: f64 = 1.0;

/// A part of a bar.
pub(super) struct Part {
    /// The style that fills it.
    pub(super) class: &'static str,
    /// Its size, in the unit of the whole.
    pub(super) size: f64,
}

/// A bar of parts side by side, on a scale from nothing to `whole`; `title` says it in words.
pub(super) fn bar(title: &str, whole: f64, parts: &[Part]) -> Markup {
    let placed = parts.iter().scan(0.0_f64, |end, part| {
        let (start, width) = (*end, width(part.size, whole).min(100.0 - *end));
        *end += width;
        Some((part.class, start, width))
    });
    html! {
        svg.bar role="img" {
            title { (title) }
            rect.scale width="100%" height="100%" {}
            @for (class, start, width) in placed.filter(|(_, _, width)| *width > 0.0) {
                rect class=(class) x=(percent(start)) width=(percent(width)) height="100%" {}
            }
        }
    }
}

/// A column's range, quartiles and mean as a box plot; none where these are not numbers that can be drawn.
pub(super) fn box_plot(column: &ColumnSummary) -> Option<Markup> {
    let plot = BoxPlot::of(column)?;
    let [lower, median, upper] = plot.quartiles;
    let box_width = plot.at(upper) - plot.at(lower);
    Some(html! {
        svg.box role="img" {
            title { (plot.title()) }
            line.whisker x1=(percent(plot.at(plot.minimum))) x2=(percent(plot.at(lower))) y1="50%" y2="50%" {}
            line.whisker x1=(percent(plot.at(upper))) x2=(percent(plot.at(plot.maximum))) y1="50%" y2="50%" {}
            @for end in [plot.minimum, plot.maximum] {
                line.whisker x1=(percent(plot.at(end))) x2=(percent(plot.at(end))) y1="25%" y2="75%" {}
            }
            rect.quartiles x=(percent(plot.at(lower))) y="5%" width=(percent(box_width.max(VISIBLE))) height="90%" {}
            line.median x1=(percent(plot.at(median))) x2=(percent(plot.at(median))) y1="5%" y2="95%" {}
            @if let Some(mean) = plot.mean {
                circle.mean cx=(percent(plot.at(mean))) cy="50%" r="3.5" {}
            }
        }
    })
}

struct BoxPlot {
    minimum: f64,
    maximum: f64,
    quartiles: [f64; 3],
    mean: Option<f64>,
}

impl BoxPlot {
    fn of(column: &ColumnSummary) -> Option<Self> {
        let minimum = column.minimum.as_ref().and_then(number)?;
        let maximum = column.maximum.as_ref().and_then(number)?;
        let quartiles = column.quartiles?;
        let [lower, median, upper] = quartiles;
        // False too where one is not a number.
        let ordered = [minimum, lower, median, upper, maximum].is_sorted();
        let mean = column.mean.filter(|mean| (minimum..=maximum).contains(mean));
        ordered.then_some(Self { minimum, maximum, quartiles, mean })
    }

    /// Where a number lies, in percent of the width.
    fn at(&self, number: f64) -> f64 {
        // Halves: the whole span of what a number can be is infinite.
        let span = self.maximum / 2.0 - self.minimum / 2.0;
        let share = (number / 2.0 - self.minimum / 2.0) / span;
        // The middle where all numbers are the same.
        MARGIN + (100.0 - 2.0 * MARGIN) * if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.5 }
    }

    fn title(&self) -> String {
        let [lower, median, upper] = self.quartiles.map(shown::number);
        let (minimum, maximum) = (shown::number(self.minimum), shown::number(self.maximum));
        let mean = self.mean.map(|mean| format!("; mean {}", shown::number(mean))).unwrap_or_default();
        format!("Box plot: minimum {minimum}, quartiles {lower}, {median}, {upper}, maximum {maximum}{mean}")
    }
}

/// A number, also where it is a text since a double would not be exact.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn width(size: f64, whole: f64) -> f64 {
    let share = size / whole * 100.0;
    if size > 0.0 && share.is_finite() { share.clamp(VISIBLE, 100.0) } else { 0.0 }
}

fn percent(share: f64) -> String {
    format!("{share:.2}%")
}
