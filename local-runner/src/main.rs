//! The whole chain on one machine: `cargo run --release` at the workspace's root.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main(local_runner::run)
}
