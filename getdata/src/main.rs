//! Lists a folder into `listing.txt`; the library says how.

fn main() -> std::process::ExitCode {
    service::main(getdata::run)
}
