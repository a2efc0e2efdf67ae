//! What all programs that send HTTP requests agree on: whom TLS trusts, and how long to pause before the next attempt.
//!
//! It sends nothing itself: requests are reqwest's, and each program decides which answers it tries again.
//!
//! - [`tls`]: the web's roots, and the certificates of `--ca-file` besides
//! - [`backoff`]: pauses that grow, are drawn at random, and honour `Retry-After`

pub mod backoff;
pub mod tls;
