//! The dashboard in Debian's headless Chromium: what people see is what the programs say.
//!
//! - `browser.rs`: the browser, driven by Chrome's debugging protocol over a pipe
//! - `fixture.rs`: the chain with a dashboard; `exporter.rs`: pods that say what a test wants
//! - `flow.rs`, `documents.rs`, `looks.rs`, `keyboard.rs`, `actions.rs`, `memory.rs`: the tests

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test ends at the first surprise, and moves files as a person does"
)]

mod actions;
mod browser;
mod documents;
mod exporter;
mod fixture;
mod flow;
mod keyboard;
mod looks;
mod memory;
