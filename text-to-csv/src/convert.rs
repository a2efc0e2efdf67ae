//! `listing.txt` -> `listing.csv`.

pub use records::listing::text_to_csv as convert;
