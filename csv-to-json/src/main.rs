//! Turns CSV into JSON: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_DESCRIPTION"), csv_to_json::run)
}
