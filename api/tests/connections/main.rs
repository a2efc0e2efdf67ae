//! The server on real sockets: what clients of all kinds get, and what they cannot do to others.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod clients;
mod frames;
mod http2;
mod refusals;
mod replies;
mod server;
mod shutdown;
