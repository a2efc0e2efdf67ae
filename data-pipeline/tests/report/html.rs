use data_pipeline::report::Format;
use data_pipeline::summary::Report;
use proptest::prelude::*;

use crate::any_report::any_report;
use crate::harmless::harmless;
use crate::page::{Element, Page};
use crate::{acts, rendered, samples};

/// All that a page is made of: nothing that runs, loads, links or sends.
const ELEMENTS: [&str; 34] = [
    "article",
    "bdi",
    "body",
    "caption",
    "circle",
    "dd",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "h1",
    "h2",
    "h3",
    "head",
    "header",
    "html",
    "line",
    "main",
    "meta",
    "p",
    "rect",
    "section",
    "span",
    "style",
    "svg",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "time",
    "title",
    "tr",
];
const ATTRIBUTES: [&str; 22] = [
    "aria-hidden",
    "aria-label",
    "charset",
    "class",
    "content",
    "cx",
    "cy",
    "height",
    "http-equiv",
    "lang",
    "name",
    "r",
    "role",
    "scope",
    "tabindex",
    "width",
    "x",
    "x1",
    "x2",
    "y",
    "y1",
    "y2",
];

#[test]
fn extreme_reports_are_pages_without_errors() {
    for report in [samples::flowers(), samples::nothing(), samples::no_rows(), samples::extreme()] {
        assert_eq!(fault(&report), None);
    }
}

proptest! {
    // Each parses two pages.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_report_is_a_page_without_errors_and_no_data_becomes_markup(report in any_report()) {
        prop_assert_eq!(fault(&report), None);
    }
}

#[test]
fn a_page_shows_every_name_and_number() {
    let text = Page::parse(&rendered(&samples::flowers(), Format::Html)).text();
    let parts = [
        "2024-01-15T10:00:00Z",
        "12\u{202f}495",
        "9.676\u{a0}%",
        "garden",
        "measurements/2024/garden.parquet",
        "column `petal-width` is missing",
        "1180",
        "transform",
        "0.1873\u{a0}s",
        "sepal-length",
        "5.843",
        "0.8281",
        "Box plot: minimum 4.3, quartiles 5.1, 5.8, 6.4, maximum 7.9; mean 5.843",
        "Iris-versicolor",
        "3750",
        "Groups by class",
        "Mean of petal-length",
        "4.26",
        "2 smaller groups not shown",
        "31 (0.2747\u{a0}%)",
        "in bloom",
        "false",
    ];
    for part in parts {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
}

#[test]
fn bars_and_boxes_have_the_sizes_of_their_numbers() {
    let page = Page::parse(&rendered(&samples::flowers(), Format::Html));
    let garden = page.chart("11\u{202f}138 valid, 1207 rejected").expect("a source has a bar");
    let sizes = |element: &Element| [element.percent("x"), element.percent("width")];
    assert_eq!(sizes(&garden[1]), [0.0, 90.22]);
    assert_eq!(sizes(&garden[2]), [90.22, 9.78]);

    let plot = page.chart("Box plot: minimum 4.3").expect("a column of numbers has a box plot");
    let quartiles = plot.iter().find(|element| element.name == "rect").expect("a box plot has a box");
    // On 1 % to 99 % of the width lie 4.3 to 7.9.
    assert_eq!(sizes(quartiles), [22.78, 35.39]);
    let median = plot.iter().find(|element| element.attribute("class") == Some("median")).unwrap();
    assert_eq!(median.percent("x1"), 41.83);
}

#[test]
fn quartiles_that_are_in_no_order_or_no_numbers_are_not_drawn() {
    for quartiles in [[5.8, 5.1, 6.4], [f64::NAN; 3], [5.1, 5.8, f64::INFINITY], [0.0, 5.8, 6.4]] {
        let mut report = samples::flowers();
        report.columns[0].quartiles = Some(quartiles);
        assert!(Page::parse(&rendered(&report, Format::Html)).chart("Box plot").is_none(), "{quartiles:?}");
    }
}

#[test]
fn every_chart_and_table_has_a_title_and_the_page_a_language() {
    for report in [samples::flowers(), samples::extreme()] {
        let page = Page::parse(&rendered(&report, Format::Html));
        assert_eq!(page.elements().find(|each| each.name == "html").unwrap().attribute("lang"), Some("en"));
        for (kind, title) in [("svg", "title"), ("table", "caption")] {
            for (element, children) in page.with_children(kind) {
                let titled = children
                    .first()
                    .is_some_and(|child| child.name == title && !child.text.trim().is_empty());
                assert!(titled, "a {kind} without {title}");
                assert!(kind != "svg" || element.attribute("role") == Some("img"));
            }
        }
    }
}

#[test]
fn words_and_charts_stand_out_from_what_is_behind_them_in_light_and_dark() {
    let page = rendered(&samples::flowers(), Format::Html);
    let (light, dark) = page.split_once("prefers-color-scheme: dark").expect("the page has a dark scheme");
    for (scheme, style) in [("light", light), ("dark", dark)] {
        for behind in ["page", "surface"] {
            for (before, least) in
                [("text", 4.5), ("quiet", 4.5), ("valid", 3.0), ("rejected", 3.0), ("time", 3.0)]
            {
                let contrast = contrast(luminance(style, before), luminance(style, behind));
                assert!(contrast >= least, "{scheme}: {before} on {behind} has {contrast:.2}");
            }
        }
    }
}

/// What is wrong with a report's page.
fn fault(report: &Report) -> Option<String> {
    let page = Page::parse(&rendered(report, Format::Html));
    if let Some(error) = page.errors.first() {
        return Some(error.clone());
    }
    for element in page.elements() {
        if !ELEMENTS.contains(&element.name.as_str()) {
            return Some(format!("the element {}", element.name));
        }
        for (name, value) in &element.attributes {
            if !ATTRIBUTES.contains(&name.as_str()) {
                return Some(format!("the attribute {name}"));
            }
            let place = matches!(name.as_str(), "x" | "x1" | "x2" | "cx" | "width");
            if place && element.name != "meta" && !(0.0..=100.0).contains(&element.percent(name)) {
                return Some(format!("{} {name}={value}", element.name));
            }
        }
    }
    let end = |rect: &Element| rect.percent("x") + rect.percent("width");
    if let Some(rect) = page.elements().find(|each| each.name == "rect" && end(each) > 100.01) {
        return Some(format!("a part of a chart beyond its end: {rect:?}"));
    }
    let plain = Page::parse(&rendered(&harmless(report.clone()), Format::Html));
    if page.shape() != plain.shape() {
        return Some("data became markup".to_owned());
    }
    page.text()
        .chars()
        .find(|each| acts(*each) && *each != '\n')
        .map(|each| format!("the character {each:?}"))
}

fn contrast(one: f64, other: f64) -> f64 {
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// The relative luminance of a colour of the style, as WCAG defines it.
fn luminance(style: &str, name: &str) -> f64 {
    let (_, value) = style.split_once(&format!("--{name}: #")).expect("the style has the colour");
    let digits = value.split(';').next().expect("a colour ends");
    let double = if digits.len() == 3 { 2 } else { 1 };
    let digits: String = digits.chars().flat_map(|digit| std::iter::repeat_n(digit, double)).collect();
    let channel = |at: usize| {
        let value =
            f64::from(u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits")) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}
