//! The service's process; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_DESCRIPTION"), dashboard::run)
}
