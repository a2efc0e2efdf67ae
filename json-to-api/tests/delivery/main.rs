//! json-to-api against an API that does as a test tells it.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is how to fail")]

mod answers;
mod connections;
mod failures;
mod fixture;
mod headers;
mod http2;
mod ownership;
mod program;
mod server;
mod tls;
