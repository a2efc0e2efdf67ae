//! Turns `listing.txt` into `listing.csv`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main(text_to_csv::run)
}
