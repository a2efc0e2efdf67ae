//! The controller's program on an API server: a fake one in this process, or where `KUBECONFIG` is set the real one that
//! it names. There the image of the steps is `STEP_IMAGE`, which has to have a shell; what only the fake can do is
//! skipped, and said.
//!
//! - [`fake`]: the fake API server; [`history`]: what must hold whatever happens
//! - [`cluster`]: either of them, as a scenario sees it; [`controller`]: the program; [`sequences`]: what it runs
//! - [`contract`]: what is taken for granted of either; [`recorder`]: the history of a real one
//! - the scenarios: [`paths`] without a fault, [`changes`] by people, [`kills`], [`outages`], [`crowds`],
//!   [`admission`] by the webhook

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod cluster;
mod controller;
mod fake;
mod history;
mod recorder;
mod sequences;

mod admission;
mod changes;
mod contract;
mod crowds;
mod kills;
mod outages;
mod paths;
