//! A soak: the five real programs, several replicas of each, under random faults, and a ledger of what went in and what
//! came out. It lasts as long as `SOAK` says (`2m`), and draws from `SEED`.
//!
//! Layout: `world.rs` what all share; `generator.rs` who drops files; `chaos.rs` who breaks things, `fleet.rs` and
//! `disk.rs` what is broken; `gate.rs` and `pod.rs` the way to the API, and how it is disturbed; `ledger.rs` and `figures.rs` what
//! came of it.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod chaos;
mod disk;
mod figures;
mod fleet;
mod gate;
mod generator;
mod ledger;
mod pod;
mod process;
mod world;

use std::thread;
use std::time::Duration;

use chaos::Chaos;
use fleet::Fleet;
use gate::Gate;
use world::World;

fn setting<T: std::str::FromStr>(name: &str, default: T) -> T {
    let Ok(text) = std::env::var(name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{name} makes no sense: {text}"))
}

#[test]
#[ignore = "takes as long as it is told: just soak 2m"]
fn under_random_faults_every_record_is_delivered_or_rejected_and_none_is_doubled() {
    let seed = setting("SEED", fastrand::u64(..));
    let duration: Duration = setting("SOAK", humantime::Duration::from(Duration::from_secs(120))).into();
    println!("SEED={seed} SOAK={}", humantime::format_duration(duration));
    let mut random = fastrand::Rng::with_seed(seed);
    let world = World::new(duration);
    let gate = Gate::open(&world, random.fork());
    let mut fleet = Fleet::start(&world, &gate);
    thread::scope(|scope| {
        let (files, trees) = (random.fork(), random.fork());
        let _end = world.end_on_panic();
        scope.spawn(|| generator::drop_files(&world, files));
        scope.spawn(|| generator::list_trees(&world, trees));
        Chaos::new(&world, &mut fleet, random).rage();
    });
    gate.calm();
    fleet.tend();
    // Publishes or deletes what killed ones left.
    generator::list_a_tree(&world, generator::LAST, None);
    world.drain();
    fleet.stop();
    world.judge(duration, seed, &fleet);
}
