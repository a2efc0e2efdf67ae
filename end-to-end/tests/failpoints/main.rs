//! A crash at every step: each real program is killed at each failpoint that its run passes, and its recovery too.
//!
//! Each call that changes the volume, each POST, answer and print is a failpoint of the debug builds.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod campaign;
mod conversion;
mod delivery;
mod leftovers;
mod listing;
mod trial;

use std::thread;

use campaign::{kill_at_some, try_all};
use conversion::{CSV_TO_JSON, PACKED, TEXT_TO_CSV};
use delivery::Delivery;
use end_to_end::Packing;
use leftovers::Leftovers;
use listing::Listing;
use trial::Case;

/// So many pairs of crashes are drawn for each case.
const PAIRS: usize = 60;

fn random() -> fastrand::Rng {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// Whether the programs have failpoints: those of release builds have none.
fn has_points() -> bool {
    let has_points = cfg!(debug_assertions);
    if !has_points {
        eprintln!("skipped: a release build has no failpoints");
    }
    has_points
}

#[test]
fn killed_once_or_twice_at_any_point_no_program_loses_or_doubles_anything() {
    if !has_points() {
        return;
    }
    let cases: [&dyn Case; 9] = [
        &Listing { one_waits: false },
        &Listing { one_waits: true },
        &TEXT_TO_CSV,
        &CSV_TO_JSON,
        &PACKED,
        &Leftovers,
        &Delivery { documents: 12, concurrency: 1, packing: None },
        &Delivery { documents: 12, concurrency: 8, packing: None },
        &Delivery { documents: 12, concurrency: 8, packing: Some(Packing::Gzip) },
    ];
    end_to_end::program("api");
    let mut random = random();
    thread::scope(|scope| {
        for case in cases {
            let random = random.fork();
            scope.spawn(|| try_all(case, PAIRS, random));
        }
    });
}

#[test]
fn after_a_kill_no_more_is_sent_twice_than_was_in_flight_and_a_thousand() {
    if !has_points() {
        return;
    }
    for packing in [None, Some(Packing::Zstd)] {
        kill_at_some(&Delivery { documents: 3_000, concurrency: 64, packing }, 12, random());
    }
}
