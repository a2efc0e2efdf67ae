//! Turns `listing.txt` into `listing.csv`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_DESCRIPTION"), |config, context| {
        text_to_csv::STAGE.run(config, context, None)
    })
}
