//! A soak: the five real programs, several replicas of each, under random faults, and a ledger of what went in and what
//! came out. It lasts as long as `SOAK` says (`2m`), and draws from `SEED`.
//!
//! Layout: `environment.rs` what all share; `generator.rs` who drops files; `chaos.rs` who breaks things, `fleet.rs` and
//! `disk.rs` what is broken; `proxy.rs` and `pod.rs` the way to the API, and how it is disturbed; `figures.rs` what came of it, by the crate's
//! `Ledger`.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod chaos;
mod disk;
mod environment;
mod figures;
mod fleet;
mod generator;
mod pod;
mod process;
mod proxy;

use std::thread;
use std::time::Duration;

use chaos::Chaos;
use environment::Environment;
use fleet::Fleet;
use proxy::Proxy;

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
    let environment = Environment::new(duration);
    let proxy = Proxy::open(&environment, random.fork());
    let mut fleet = Fleet::start(&environment, &proxy);
    thread::scope(|scope| {
        let (files, trees) = (random.fork(), random.fork());
        let _end = environment.end_on_panic();
        scope.spawn(|| generator::drop_files(&environment, files));
        scope.spawn(|| generator::list_trees(&environment, trees));
        Chaos::new(&environment, &mut fleet, random).run();
    });
    proxy.calm();
    fleet.tend();
    // Publishes or deletes what killed ones left.
    generator::list_a_tree(&environment, generator::LAST, None);
    environment.drain();
    fleet.stop();
    environment.judge(duration, seed, &fleet);
}
