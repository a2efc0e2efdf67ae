//! How fast the programs are beside peers that others provide, side by side on one machine: `just bench`.
//!
//! Every figure is one of a pair, measured by turns, pinned, several times; outputs are checked, a wrong one ends the run.
//! It judges by [`goals`] and writes docs/PERFORMANCE.md, with `notes.md` at its end. It installs nothing, tunes nothing,
//! and keeps no history: absolute figures of two machines cannot be compared.
//!
//! - `goals.rs`: the goals, a constant each
//! - a group of rows each: `conversions.rs`, `listing.rs`, `serving.rs`, `delivery.rs`, `chain.rs`, `one_document.rs`,
//!   `store.rs`, `glusterfs.rs`, `memory.rs`
//! - `measure.rs`: runs programs and notes what they used; `samples.rs`: medians; `check.rs`: whether outputs are right
//! - `place.rs`, `input.rs`, `service.rs`: where, on what, and against which api
//! - `peers.rs`, `tools.rs`: peers of our own making, and others'
//! - `report.rs`, `machine.rs`: docs/PERFORMANCE.md

mod chain;
mod check;
mod conversions;
mod delivery;
mod glusterfs;
mod goals;
mod input;
mod listing;
mod machine;
mod measure;
mod memory;
mod one_document;
mod peers;
mod place;
mod report;
mod samples;
mod service;
mod serving;
mod store;
mod tools;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};

use crate::place::{Place, checkout, own_file};
use crate::report::Section;

/// Fewer rounds are for looking, not for publishing.
const ROUNDS: usize = 5;

/// How fast the programs are, beside their peers
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Measure, and write docs/PERFORMANCE.md; of some groups, or of fewer rounds than five, only print
    Run {
        /// Only these
        groups: Vec<Group>,

        /// How often everything is measured
        #[arg(long, value_name = "NUMBER", default_value_t = ROUNDS, value_parser = at_least_one)]
        rounds: usize,

        /// Everything so many times smaller, to try the benchmarks themselves; only printed
        #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
        smaller: u64,

        /// Where the programs are, in place of beside this one
        #[arg(long, value_name = "DIRECTORY")]
        programs: Option<PathBuf>,
    },
    /// Be a peer
    #[command(hide = true)]
    Peer {
        #[command(subcommand)]
        peer: peers::Peer,
    },
}

/// What is measured together, in the report's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    Conversions,
    Listing,
    Serving,
    Delivery,
    Chain,
    OneDocument,
    Store,
    Glusterfs,
    Memory,
}

impl Group {
    fn run(self, place: &Place) -> anyhow::Result<Section> {
        let run = match self {
            Group::Conversions => conversions::run,
            Group::Listing => listing::run,
            Group::Serving => serving::run,
            Group::Delivery => delivery::run,
            Group::Chain => chain::run,
            Group::OneDocument => one_document::run,
            Group::Store => store::run,
            Group::Glusterfs => glusterfs::run,
            Group::Memory => memory::run,
        };
        run(place)
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|rounds| *rounds > 0).ok_or_else(|| "expected a number, 1 or more".to_owned())
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().act {
        Act::Run { groups, rounds, smaller, programs } => {
            Place::new(rounds, smaller, programs).and_then(|place| run(&place, &groups, rounds, smaller))
        }
        Act::Peer { peer } => peer.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(place: &Place, groups: &[Group], rounds: usize, smaller: u64) -> anyhow::Result<()> {
    let is_report = groups.is_empty() && smaller == 1 && rounds >= ROUNDS;
    let versions = tools::versions()?;
    let load = machine::load();
    let groups = if groups.is_empty() { Group::value_variants() } else { groups };
    let mut sections = Vec::new();
    for group in groups {
        let started = Instant::now();
        let section = group.run(place).with_context(|| format!("failed to measure {group:?}"))?;
        println!("{}", section.render());
        eprintln!("{group:?} took {:.0?}", started.elapsed());
        sections.push(section);
    }
    if is_report {
        write(place, &load, &versions, &sections)?;
    }
    Ok(())
}

fn write(place: &Place, load: &str, versions: &[String], sections: &[Section]) -> anyhow::Result<()> {
    let notes = fs::read_to_string(own_file("notes.md")).context("failed to read notes.md")?;
    let mut machine = machine::describe(place.root(), load);
    machine.push(format!("peers: {}", versions.join("; ")));
    let report = report::render(&machine, place.rounds, sections, &notes);
    let path = checkout().join("docs/PERFORMANCE.md");
    fs::write(&path, report).with_context(|| format!("failed to write `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
