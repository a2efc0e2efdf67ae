//! What reports look like, and what no data can do to them.

mod any_report;
mod formats;
mod harmless;
mod html;
mod json;
mod page;
mod pictures;
mod samples;
mod text;

use data_pipeline::report::{Format, render};
use data_pipeline::summary::Report;

fn rendered(report: &Report, format: Format) -> String {
    let mut out = Vec::new();
    render(report, format, &mut out).expect("writing to memory does not fail");
    String::from_utf8(out).expect("reports are UTF-8")
}

/// Whether a character does something to what shows it: controls, invisible ones, those that turn the direction.
fn acts(character: char) -> bool {
    let invisible = matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
    let turning = matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || invisible || turning
}
