//! The controller's process; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main("sequential-job-controller", env!("CARGO_PKG_DESCRIPTION"), sequential_job::run)
}
