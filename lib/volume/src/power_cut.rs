//! Power cuts, kills, lost locks and failing calls, tried on the real code: nothing is lost or doubled.
//!
//! The code runs in a real directory; `machine` sees every call that changes something and notes it for `disk`, a model of
//! what is durable. At a cut the model keeps any part of what was not synced; what it keeps is laid out in another
//! directory, where the code recovers, and `promises` looks at what came of it.
//!
//! What is assumed: a rename is one unit, so that it is durable once either of its directories was synced. Nothing else is
//! durable or ordered before it is synced: not the name of a synced file, not a directory before what lies in it.
//!
//! - `POWER_CUTS`, a number: so many cuts are tried instead of some thousands.
//! - `POWER_CUT_SEED`, a number: the first lifetime; without `POWER_CUTS` it is the only one.
//!
//! Layout: `disk.rs` the model, in the words of `change.rs`; `content.rs` what becomes of a file, `survival.rs` of anything;
//! `directory.rs` a real directory for it; `machine.rs` all calls pass here; `site.rs` where they come from; `stages.rs` and
//! `delivery.rs` the programs; `batch_file.rs` their files; `environment.rs` what no cut undoes; `promises.rs` what must hold;
//! `run.rs` from one cut to the next; `lifetime.rs` lifetimes drawn at random.

mod batch_file;
mod change;
mod content;
mod delivery;
mod directory;
mod disk;
mod environment;
mod lifetime;
pub(crate) mod machine;
mod needed;
mod promises;
mod recorder;
mod run;
mod script;
mod site;
mod stages;
mod survival;
mod worker;

use std::sync::atomic::{AtomicU64, Ordering};

use crate::links;
use change::Rule;
use lifetime::Lifetime;
use recorder::Fault;
use script::Script;

/// What file systems do: most, and Btrfs.
const RULES: [Rule; 2] = [Rule::Either, Rule::OldNameStays];

/// How many cuts are tried at each `cargo test`.
const CUTS: u64 = 3_000;

fn number(variable: &str) -> Option<u64> {
    let number = std::env::var(variable).ok()?;
    Some(number.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

#[test]
fn power_cuts_at_any_time_lose_nothing_and_double_nothing() {
    let (first, cuts) = (number("POWER_CUT_SEED"), number("POWER_CUTS"));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    // Every lifetime has a cut, so that where one is wanted one lifetime is lived.
    let (threads, wanted) = match (first, cuts) {
        (Some(_), None) => (1, 1),
        (_, cuts) => (threads, cuts.unwrap_or(CUTS)),
    };
    let (seeds, cuts) = (AtomicU64::new(first.unwrap_or(0)), AtomicU64::new(0));
    let live = || {
        while cuts.load(Ordering::Relaxed) < wanted {
            let seed = seeds.fetch_add(1, Ordering::Relaxed);
            let mut lifetime = Lifetime::new(seed);
            let lived = lifetime.live(RULES[usize::from(seed % 2 == 1)]);
            cuts.fetch_add(lifetime.cuts, Ordering::Relaxed);
            if let Err(broken) = lived {
                panic!("POWER_CUT_SEED={seed}, cut {}: {broken}", lifetime.cuts);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(live);
        }
    });
    println!("{} power cuts, up to seed {}", cuts.into_inner(), seeds.into_inner());
}

#[test]
fn a_power_cut_at_any_call_loses_nothing_whichever_one_change_is_kept_or_lost() {
    for rule in RULES {
        let scripts = [Script::whole_way(), Script::own_name(), Script::collected(), Script::refused()];
        let archiving = [Script::whole_way().archiving(), Script::own_name().archiving()];
        for script in scripts.into_iter().chain(archiving) {
            script.cut_everywhere(rule, None).unwrap();
        }
    }
}

#[test]
fn a_file_that_a_cut_left_under_two_names_comes_once_also_where_the_power_is_cut_again() {
    let mut recoveries = 0;
    Script::one_stage().cut_twice(None, |_| recoveries += 1).unwrap();
    assert!(recoveries > 0, "no cut leaves two names");
}

#[test]
fn without_a_look_at_its_other_names_a_file_comes_twice() {
    links::BLIND.set(true);
    let broken = Script::one_stage().cut_twice(None, |_| {}).unwrap_err();
    links::BLIND.set(false);
    assert!(broken.contains("came twice"), "{broken}");
}

#[test]
fn what_a_killed_program_leaves_outlasts_a_power_cut() {
    for rule in RULES {
        for script in Script::pairs() {
            script.fault_everywhere(rule, None, || Fault::Kill).unwrap();
        }
    }
}

#[test]
fn a_takeover_outlasts_a_power_cut_at_any_call() {
    for rule in RULES {
        Script::taken_over().cut_everywhere_after_a_kill(rule, None).unwrap();
    }
}

#[test]
fn a_call_that_fails_loses_nothing_and_the_next_attempt_finishes() {
    for script in Script::pairs() {
        for fault in [|| Fault::Fail, || Fault::FailAfterwards] {
            script.finish_in_spite_of(fault).unwrap();
        }
    }
}

/// Should it hold with less one day, the syncs that it rests on now can be judged anew.
#[test]
fn a_rename_must_be_durable_once_either_of_its_directories_is_synced() {
    for less in [Rule::Both, Rule::Left, Rule::Entered] {
        let script = Script::whole_way();
        assert!(script.cut_everywhere(less, None).is_err(), "{less:?} is enough");
    }
}

/// One that is converted twice and delivered, its inputs deleted or kept; what a program's start costs is no part of it.
#[test]
fn a_file_costs_a_sync_more_each_time_it_is_published_where_an_old_name_may_stay() {
    let syncs = |script: Script, rule| {
        let run = script.run(rule, None, None).unwrap();
        run.machine.calls.iter().filter(|call| call.act.starts_with("sync")).count()
    };
    let costs = RULES.map(|rule| {
        let [one, two] = [1, 2].map(|files| syncs(Script::all_delivered(files), rule));
        let [kept, both_kept] = [1, 2].map(|files| syncs(Script::all_delivered(files).archiving(), rule));
        assert_eq!(both_kept - kept, two - one, "an input that is kept costs what one does that is deleted");
        two - one
    });
    assert_eq!(costs, [17, 19]);
}

#[test]
fn the_model_shows_what_the_directory_shows() {
    for seed in 0..20 {
        let run = Lifetime::new(seed).first_run(Rule::Either).unwrap();
        let end = run.end().unwrap();
        assert_eq!(run.machine.directory.files().unwrap(), end.disk.files(), "POWER_CUT_SEED={seed}");
    }
}
