//! Makes a report of any tables, in five stages; the library says how.

fn main() -> std::process::ExitCode {
    service::main(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_DESCRIPTION"), data_pipeline::run)
}
