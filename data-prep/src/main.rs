//! Fetches a data set onto the volume; the library says how.

fn main() -> std::process::ExitCode {
    service::main(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_DESCRIPTION"), data_prep::run)
}
