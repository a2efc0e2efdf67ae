//! The whole chain on one machine: `cargo run --release` at the workspace's root.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_DESCRIPTION"), local_runner::run)
}
