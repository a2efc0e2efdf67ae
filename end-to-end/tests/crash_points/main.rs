//! A crash at every step: each real program is killed at each point where it changes something, and between.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod campaign;
mod conversion;
mod delivery;
mod leftovers;
mod listing;
mod scan;
mod sources;
mod trial;

use std::thread;

use campaign::{kill_at_some, try_all};
use conversion::{CSV_TO_JSON, TEXT_TO_CSV};
use delivery::Delivery;
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

#[test]
fn killed_once_or_twice_at_any_point_no_program_loses_or_doubles_anything() {
    let cases: [&dyn Case; 7] = [
        &Listing { one_waits: false },
        &Listing { one_waits: true },
        &TEXT_TO_CSV,
        &CSV_TO_JSON,
        &Leftovers { outside: false },
        &Delivery { documents: 12, concurrency: 1, with_blocks: false },
        &Delivery { documents: 12, concurrency: 8, with_blocks: false },
    ];
    end_to_end::program("api");
    let mut random = random();
    let reports = thread::scope(|scope| {
        let campaigns = cases.map(|case| {
            let random = random.fork();
            scope.spawn(|| try_all(case, PAIRS, random))
        });
        campaigns.map(|campaign| campaign.join().unwrap())
    });
    sources::check_that_none_is_left_out(&reports);
}

#[test]
fn after_a_kill_no_more_is_sent_twice_than_was_in_flight_and_a_thousand() {
    let case = Delivery { documents: 3_000, concurrency: 64, with_blocks: false };
    kill_at_some(&case, 12, random());
}

/// Not so yet: the folder by which leftovers are found is removed before those that lie elsewhere. Once it comes last,
/// `outside` can be true above, and this goes.
#[test]
#[ignore = "a self-test's leftovers outside .pipe/ stay for ever if who cleans them up dies"]
fn killed_while_it_cleans_up_a_program_leaves_nothing_for_ever() {
    try_all(&Leftovers { outside: true }, PAIRS, random());
}

/// Not so yet: an answer can be saved before its block is written. Once the journal follows the print, `with_blocks`
/// can be true above, and this goes.
#[test]
#[ignore = "the journal does not follow the print yet"]
fn every_document_that_was_delivered_has_its_block_after_any_kill() {
    try_all(&Delivery { documents: 12, concurrency: 8, with_blocks: true }, PAIRS, random());
}
