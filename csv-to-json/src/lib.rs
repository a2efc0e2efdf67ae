//! Turns `listing.csv` into `listing.json`, one document a line.
//!
//! Any CSV record of seven fields becomes a document of seven strings. It refuses to judge the fields, and
//! to know a header: that is a record like any other.
//!
//! The conversion is `records::listing`'s, all that concerns files `stage`'s.

use stage::{Converter, Spec};

pub use records::listing::csv_to_json as convert;

/// What the stage is.
pub const STAGE: Converter = Converter {
    spec: Spec { name: "csv-to-json", stem: "listing", input: Some("csv"), output: Some("json") },
    convert,
};
