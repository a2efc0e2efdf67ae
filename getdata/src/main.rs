//! Lists a directory into `listing.txt`; the library says how.

fn main() -> std::process::ExitCode {
    service::main(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_DESCRIPTION"), getdata::run)
}
