//! Turns `listing.csv` into `listing.json`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main(csv_to_json::run)
}
