//! Turns `listing.txt`, lines of `ls -l`, into `listing.csv`.
//!
//! It reads what busybox and GNU coreutils print, and rejects a line that it cannot read without doubt. It
//! refuses to judge what a line says: no path is looked up, no mode or date checked beyond its form.
//!
//! The conversion is `records::listing`'s, all that concerns files `stage`'s.

use stage::{Converter, Spec};

pub use records::listing::text_to_csv as convert;

/// What the stage is.
pub const STAGE: Converter = Converter {
    spec: Spec { name: "text-to-csv", stem: "listing", input: Some("txt"), output: Some("csv") },
    convert,
};
