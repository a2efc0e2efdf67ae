//! The service's process; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main(api::run)
}
