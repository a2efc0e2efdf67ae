//! Power cuts, kills, lost locks and failing calls, tried on the real code: nothing is lost or doubled.
//!
//! The code runs in a real folder; `machine` sees every call that changes something and notes it for `disk`, a model of
//! what is durable. At a cut the model keeps any part of what was not synced; what it keeps is laid out in another
//! folder, where the code recovers, and `promises` looks at what came of it.
//!
//! What is assumed: a rename is one unit, so that it is durable once either of its folders was synced. Nothing else is
//! durable or ordered before it is synced: not the name of a synced file, not a folder before what lies in it.
//!
//! - `POWER_CUTS`, a number: so many cuts are tried instead of some thousands.
//! - `POWER_CUT_SEED`, a number: the first life; without `POWER_CUTS` it is the only one.
//!
//! Layout: `disk.rs` the model, in the words of `change.rs`; `content.rs` what becomes of a file, `luck.rs` of anything;
//! `folder.rs` a real folder for it; `machine.rs` all calls pass here; `site.rs` where they come from; `stages.rs` and
//! `delivery.rs` the programs; `batch_file.rs` their files; `world.rs` what no cut undoes; `promises.rs` what must hold;
//! `run.rs` from one cut to the next; `life.rs` lives drawn by lot.

mod batch_file;
mod change;
mod content;
mod delivery;
mod disk;
mod folder;
mod life;
mod luck;
pub(crate) mod machine;
mod promises;
mod run;
mod script;
mod site;
mod stages;
mod world;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use change::Rule;
use life::Life;
use machine::Trouble;
use script::Script;
use site::Site;

/// How many cuts are tried at each `cargo test`.
const CUTS: u64 = 3_000;

fn number(variable: &str) -> Option<u64> {
    let number = std::env::var(variable).ok()?;
    Some(number.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

#[test]
fn power_cuts_at_any_time_lose_nothing_and_double_nothing() {
    let (first, cuts) = (number("POWER_CUT_SEED"), number("POWER_CUTS"));
    // The first life has a cut, so that it is the last where one is wanted.
    let wanted = cuts.unwrap_or(if first.is_some() { 1 } else { CUTS });
    let (seeds, cuts) = (AtomicU64::new(first.unwrap_or(0)), AtomicU64::new(0));
    let live = || {
        while cuts.load(Ordering::Relaxed) < wanted {
            let seed = seeds.fetch_add(1, Ordering::Relaxed);
            let mut life = Life::new(seed, None);
            let lived = life.live(Rule::Either);
            cuts.fetch_add(life.cuts, Ordering::Relaxed);
            if let Err(broken) = lived {
                panic!("POWER_CUT_SEED={seed}, cut {}: {broken}", life.cuts);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(live);
        }
    });
    println!("{} power cuts, up to seed {}", cuts.into_inner(), seeds.into_inner());
}

#[test]
fn a_power_cut_at_any_call_loses_nothing_whichever_one_change_is_kept_or_lost() {
    for script in [Script::whole_way(), Script::own_name()] {
        println!("{} power cuts", script.cut_everywhere(Rule::Either, None).unwrap());
    }
}

#[test]
fn what_a_killed_program_leaves_outlasts_a_power_cut() {
    for script in Script::pairs() {
        println!("{} power cuts", script.trouble_everywhere(Rule::Either, None, || Trouble::Kill).unwrap());
        println!("{} power cuts", script.cut_everywhere_after_a_kill(Rule::Either, None).unwrap());
    }
}

#[test]
fn a_call_that_fails_loses_nothing_and_the_next_attempt_finishes() {
    for script in Script::pairs() {
        for trouble in [|| Trouble::Fail, || Trouble::FailAfterwards] {
            println!("{} power cuts", script.trouble_everywhere(Rule::Either, None, trouble).unwrap());
        }
    }
}

/// Lives that come by all that the protocol does, but for what is rarer than one in so many.
const LIVES: u64 = 100;

#[test]
fn without_any_one_of_its_syncs_and_renames_the_protocol_breaks() {
    let mut sites = BTreeSet::new();
    for seed in 0..LIVES {
        sites.extend(Life::new(seed, None).first_run(Rule::Either).unwrap().machine.sites);
    }
    let mut needless = Vec::new();
    for site in sites {
        let started = std::time::Instant::now();
        let broken = break_without(&site);
        println!("{site} {:?}: {broken:?}", started.elapsed());
        if broken.is_none() {
            needless.push(site.to_string());
        }
    }
    assert!(needless.is_empty(), "nothing breaks without {needless:#?}");
}

/// How the protocol breaks without what is asked for at one place. What comes by it undisturbed is tried first.
fn break_without(site: &Site) -> Option<String> {
    let (rule, left_out) = (Rule::Either, Some(site));
    let mut scripts = vec![Script::whole_way(), Script::own_name()];
    scripts.extend(Script::pairs());
    let is_near = |script: &Script| script.run(rule, None, None).unwrap().machine.sites.contains(site);
    let near = scripts.iter().filter(|script| is_near(script));
    let undisturbed = near.clone().find_map(|script| script.cut_everywhere(rule, left_out).err());
    undisturbed.or_else(|| {
        Script::pairs().iter().find_map(|script| {
            let killed = script.trouble_everywhere(rule, left_out, || Trouble::Kill);
            killed.and_then(|_| script.cut_everywhere_after_a_kill(rule, left_out)).err()
        })
    })
}
