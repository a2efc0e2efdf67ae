//! Turns `listing.csv` into `listing.json`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_DESCRIPTION"), |config, context| {
        csv_to_json::STAGE.run(config, context, None)
    })
}
