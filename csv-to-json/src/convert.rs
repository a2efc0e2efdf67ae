//! `listing.csv` -> `listing.json`.

pub use records::listing::csv_to_json as convert;
