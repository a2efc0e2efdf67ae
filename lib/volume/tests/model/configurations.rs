//! Who takes part and what goes wrong: the protocol holds in each of these.
//!
//! The largest take minutes, and are for `just nightly`: `cargo test --release -p volume --test model -- --ignored --nocapture`.

use std::time::Instant;

use crate::explore::explore;
use crate::protocol::Protocol;
use crate::state::Faults;

/// One worker that converts the one file that waits; nothing goes wrong.
const ONE: Protocol = Protocol {
    stages: &[1],
    files: 1,
    waiting: 1,
    claims: 2,
    coarse: false,
    person: false,
    leases: true,
    faults: Faults { kills: false, lost_locks: 0, cuts: 0 },
    without: None,
};

/// Every worker may die once, and one of them be thought dead.
const DEATHS: Faults = Faults { kills: true, lost_locks: 1, cuts: 0 };
const CUT: Faults = Faults { kills: false, lost_locks: 0, cuts: 1 };
const KILLS_AND_CUT: Faults = Faults { kills: true, ..CUT };

/// Three workers, two files, a publisher. To be explored in seconds, directories come and go in one step each.
const ALL: Protocol =
    Protocol { stages: &[0, 1, 1, 1], files: 2, coarse: true, claims: 4, faults: DEATHS, ..ONE };
/// From the publisher to the API.
const CHAIN: Protocol =
    Protocol { stages: &[0, 1, 1, 2], waiting: 0, coarse: true, claims: 3, faults: DEATHS, ..ONE };
/// Interrupted also while a claim's directory is made, taken over and removed.
pub(crate) const TWO: Protocol = Protocol { stages: &[1, 1], faults: DEATHS, ..ONE };
pub(crate) const TWO_FILES: Protocol = Protocol { files: 2, waiting: 2, coarse: true, ..TWO };
pub(crate) const DELIVERERS: Protocol = Protocol { stages: &[2, 2], coarse: true, ..TWO };

/// A worker that may die, and a cut of the power: it takes over what it left itself.
pub(crate) const CUT_CONVERTER: Protocol = Protocol { faults: KILLS_AND_CUT, ..ONE };
pub(crate) const CUT_DELIVERER: Protocol = Protocol { stages: &[2], ..CUT_CONVERTER };
pub(crate) const CUT_PUBLISHER: Protocol = Protocol { stages: &[0], waiting: 0, ..CUT_CONVERTER };
const CUT_TWO: Protocol = Protocol { stages: &[1, 1], coarse: true, faults: CUT, ..ONE };
const CUT_CHAIN: Protocol = Protocol { stages: &[0, 1, 2], waiting: 0, coarse: true, faults: CUT, ..ONE };

/// A file that is written in place while it is taken.
pub(crate) const PERSON: Protocol = Protocol { person: true, waiting: 0, faults: DEATHS, ..ONE };
/// The same where the kernel does not tell whether it is still written.
pub(crate) const SETTLE: Protocol = Protocol { leases: false, ..PERSON };
const SETTLE_TWO: Protocol = Protocol { stages: &[1, 1], coarse: true, ..SETTLE };
const CUT_PERSON: Protocol = Protocol { coarse: true, faults: KILLS_AND_CUT, ..PERSON };

fn holds(name: &str, protocol: &Protocol) {
    let start = Instant::now();
    let report = explore(protocol);
    println!("{name}: {report}, {:.1?}", start.elapsed());
    assert!(report.violation.is_none(), "{name}: {report}");
}

#[test]
#[ignore = "half a minute; for just nightly"]
fn three_workers_and_a_publisher_that_may_all_die_neither_lose_nor_double_anything() {
    holds("three workers, two files, a publisher", &ALL);
}

#[test]
fn two_workers_may_be_interrupted_wherever_another_can_tell() {
    holds("two workers, one file", &TWO);
    holds("two workers, two files", &TWO_FILES);
    holds("two deliverers", &DELIVERERS);
}

#[test]
fn what_a_stage_publishes_is_taken_by_the_next_and_delivered() {
    holds("publisher, two converters, deliverer", &CHAIN);
}

#[test]
fn a_power_cut_loses_and_doubles_nothing_whichever_unsynced_names_survive_it() {
    holds("converter", &CUT_CONVERTER);
    holds("deliverer", &CUT_DELIVERER);
    holds("publisher", &CUT_PUBLISHER);
    holds("two converters", &CUT_TWO);
    holds("publisher, converter, deliverer", &CUT_CHAIN);
}

#[test]
fn a_file_that_is_still_written_is_never_taken_half() {
    holds("with leases", &PERSON);
    holds("without leases", &SETTLE);
    holds("without leases, two workers", &SETTLE_TWO);
    holds("with leases, cut", &CUT_PERSON);
}

#[test]
#[ignore = "minutes, and only when optimised"]
fn larger_configurations_hold_as_well() {
    holds("two workers, two files, directories by the call", &Protocol { coarse: false, ..TWO_FILES });
    holds("cut of two workers, two files", &Protocol { files: 2, waiting: 2, ..CUT_TWO });
    holds("two cuts of two workers", &Protocol { faults: Faults { cuts: 2, ..CUT }, ..CUT_TWO });
    holds("cut of two workers that may die", &Protocol { faults: KILLS_AND_CUT, ..CUT_TWO });
    holds("cut of two workers, directories by the call", &Protocol { coarse: false, ..CUT_TWO });
    holds("cut of a file that still settles", &Protocol { leases: false, ..CUT_PERSON });
    holds("two deliverers behind the chain", &Protocol { stages: &[0, 1, 2, 2], ..CHAIN });
    holds("three workers, directories by the call", &Protocol { stages: &[1, 1, 1], claims: 3, ..TWO });
}
