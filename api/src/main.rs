//! The service's process; see the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A request is mostly small allocations: with this one it costs noticeably less.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    service::main(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_DESCRIPTION"), api::run)
}
