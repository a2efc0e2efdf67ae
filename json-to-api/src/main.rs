//! POSTs every document of `listing.json` to the api: see the library.

use std::process::ExitCode;

/// What a document costs is half in small allocations: this saves a third of the CPU time (docs/PERFORMANCE.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    service::main(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_DESCRIPTION"), json_to_api::run)
}
