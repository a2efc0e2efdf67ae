//! POSTs every document of `listing.json` to the api: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main(json_to_api::run)
}
