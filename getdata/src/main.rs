//! Lists a directory into `listing.txt`; the library says how.

fn main() -> std::process::ExitCode {
    service::main(getdata::run)
}
