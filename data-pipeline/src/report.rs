//! A report as a program reads it, as a terminal shows it, as a browser shows it.
//!
//! JSON holds every number exactly. Text and HTML are for people: numbers have four significant digits, long
//! values are cut, and no byte of the data can act on what shows them: neither as markup, nor as a control
//! character, nor by turning the direction of writing.

mod chart;
mod html;
mod json;
mod shown;
mod text;

use std::fmt;
use std::io;
use std::str::FromStr;

use crate::summary::Report;

/// What a report is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One object, indented.
    Json,
    /// Tables of 80 columns.
    Text,
    /// One page that needs nothing else.
    Html,
}

impl Format {
    const ALL: [Self; 3] = [Self::Json, Self::Text, Self::Html];

    /// The formats named in a list that commas separate, in its order.
    ///
    /// # Errors
    /// A name is unknown, or is there twice.
    pub fn parse_list(list: &str) -> Result<Vec<Self>, FormatError> {
        let mut formats = Vec::new();
        for name in list.split(',') {
            let format = name.trim().parse()?;
            if formats.contains(&format) {
                return Err(FormatError::Twice(format));
            }
            formats.push(format);
        }
        Ok(formats)
    }

    /// What the name of a file in this format ends in.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "txt",
            Self::Html => "html",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Html => "html",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(name: &str) -> Result<Self, FormatError> {
        let known = Self::ALL.into_iter().find(|format| format.name() == name);
        known.ok_or_else(|| FormatError::Unknown(name.to_owned()))
    }
}

/// Why a name or a list names no formats.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// No such format.
    #[error("`{}` is no report format; there are json, text, html", .0.escape_debug())]
    Unknown(String),
    /// The second report would replace the first.
    #[error("the report format `{0}` is named twice")]
    Twice(Format),
}

/// Writes a report.
///
/// # Errors
/// Those of `out`.
pub fn render(report: &Report, format: Format, out: &mut dyn io::Write) -> io::Result<()> {
    match format {
        Format::Json => json::render(report, out),
        Format::Text => text::render(report, out),
        Format::Html => html::render(report, out),
    }
}
