//! Makes a report of any tables, in five stages: extract, transform, aggregate, report, clean up.
//!
//! All work on tables is DataFusion's, in bounded memory: what does not fit is spilled. A stage hands on to the next by
//! files in the run directory below `--temp-dir`, so that the stages run in one process or, as subcommands, one by one
//! over a shared volume. Reports appear whole or not at all.
//!
//! It mends nothing: a record that does not hold is set aside, with the rule's name. It changes no source, sends nothing
//! anywhere, and runs once: when it runs is a scheduler's affair.
//!
//! - [`Config`]: settings; [`run`]: all stages, or one; `pipeline.rs`: their order, and what follows a failure
//! - `run_directory.rs`: lock, hand-off, clean-up; `console.rs`: lines and bars
//! - `source.rs`: what `DATA_SOURCES` names; `format.rs`: what a file holds, by its name
//! - `extract.rs`: stage 1; `download.rs`: sources over HTTP; `simulated.rs`: sources that are made up
//! - `transform.rs`: stage 2; `rows.rs`: rows that cannot be read are set aside; `normal.rs`: the others, as the engine
//!   reads them; `types.rs`: what a column holds; `rules.rs`: `RULES_FILE`; `doubled.rs`: keys; `rejects.rs`:
//!   `rejects-<source>.csv`
//! - `aggregate.rs`: stage 3, column by column and by groups (`groups.rs`); `engine.rs`: DataFusion, set up
//! - `publish.rs`: stage 4; `staged.rs`: files that appear whole or not at all; [`report`]: the formats; [`summary`]: what a report says

mod aggregate;
mod config;
mod console;
mod doubled;
mod download;
mod engine;
mod extract;
mod format;
mod groups;
mod judged;
mod normal;
mod pipeline;
mod publish;
mod rejects;
pub mod report;
mod rows;
mod rules;
mod run_directory;
mod simulated;
mod source;
mod staged;
pub mod summary;
mod transform;
mod types;

pub use config::{Config, Stage};
pub use pipeline::run;
