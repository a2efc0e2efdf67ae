//! Replicas of every stage on both nodes, and all that can befall them, at random.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};
use std::{fs, thread};

use end_to_end::{Node, Outcome, Token, stage};

use crate::fleet::Fleet;
use crate::place::Place;

/// Twenty times the pauses of those who write slowly: the machine may be busy.
const SETTLE: &str = "4s";
const BACKLOG: usize = 20;
const LONGEST: f64 = 3_000.0;

/// What those who drop files share with the one who breaks things.
struct Environment<'a> {
    place: &'a Place,
    end: Instant,
    has_failed: AtomicBool,
    files: AtomicU32,
    /// Held for writing while bricks are away: those who drop files wait, as one who cannot write does.
    is_well: RwLock<()>,
}

#[test]
fn under_random_faults_on_both_nodes_nothing_is_lost_and_nothing_doubled() {
    campaign(Duration::from_secs(30));
}

#[test]
#[ignore = "takes ten minutes, or what SHARED_SOAK says"]
fn under_random_faults_on_both_nodes_for_long_nothing_is_lost_and_nothing_doubled() {
    let told = std::env::var("SHARED_SOAK").map(|text| text.parse::<humantime::Duration>().unwrap());
    campaign(told.map_or(Duration::from_secs(600), Into::into));
}

fn campaign(duration: Duration) {
    let Some(place) = Place::new() else { return };
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed} {}", humantime::format_duration(duration));
    let mut random = fastrand::Rng::with_seed(seed);
    let environment = Environment {
        place: &place,
        end: Instant::now() + duration,
        has_failed: AtomicBool::new(false),
        files: AtomicU32::new(0),
        is_well: RwLock::default(),
    };
    let mut fleet = Fleet::start(&place, SETTLE);
    thread::scope(|scope| {
        for node in Node::ALL {
            let (environment, random) = (&environment, random.fork());
            scope.spawn(move || environment.drop_files(node, random));
        }
        let _end = environment.end_on_panic();
        environment.break_things(&mut fleet, &mut random);
    });
    place.bed.heal();
    fleet.tend();
    // It publishes what a listing that failed had finished.
    environment.list(Node::First);
    place.wait_for_the_end();
    fleet.stop();
    fleet.done.iter().for_each(|done| println!("{done}"));
    let balance = place.judge(fleet.ends_of_senders);
    println!(
        "{} faults; {} files, {} documents, {} delivered, {} sent twice, none lost, none under two keys",
        fleet.done.len(),
        environment.files.load(Ordering::SeqCst),
        balance.records,
        balance.delivered,
        balance.duplicates
    );
}

impl Environment<'_> {
    fn is_over(&self) -> bool {
        Instant::now() >= self.end || self.has_failed.load(Ordering::SeqCst)
    }

    fn end_on_panic(&self) -> impl Drop {
        struct EndOnPanic<'a>(&'a AtomicBool);
        impl Drop for EndOnPanic<'_> {
            fn drop(&mut self) {
                self.0.fetch_or(thread::panicking(), Ordering::SeqCst);
            }
        }
        EndOnPanic(&self.has_failed)
    }

    /// Lets some time pass: a campaign has a pace.
    fn rest(&self, random: &mut fastrand::Rng, milliseconds: std::ops::Range<u64>) {
        thread::sleep(Duration::from_millis(random.u64(milliseconds)));
    }

    fn drop_files(&self, node: Node, mut random: fastrand::Rng) {
        let _end = self.end_on_panic();
        while !self.is_over() {
            self.rest(&mut random, 100..1_000);
            let _well = self.is_well.read().unwrap_or_else(PoisonError::into_inner);
            let waiting: usize =
                ["txt", "csv", "json"].iter().map(|e| self.place.data.waiting(e).len()).sum();
            match random.u8(..8) {
                _ if waiting > BACKLOG => {}
                0 => self.list(node),
                1..=3 => self.write_slowly(node, &mut random),
                _ => self.put(node, &mut random),
            }
        }
    }

    /// A new name on a node, and what is to be in it.
    fn file(&self, random: &mut fastrand::Rng) -> (String, String) {
        let file = self.files.fetch_add(1, Ordering::SeqCst);
        let extension = ["txt", "csv", "json"][random.usize(..3)];
        // Most are short, some are long.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and LONGEST")]
        let lines = 1 + (random.f64().powi(3) * LONGEST) as u32;
        (format!("listing-{file:06}.{extension}"), self.place.lines(extension, file, lines))
    }

    fn put(&self, node: Node, random: &mut fastrand::Rng) {
        let ((name, content), directory) = (self.file(random), self.place.on(node));
        let mut file = tempfile::NamedTempFile::new_in(&directory).unwrap();
        file.write_all(content.as_bytes()).unwrap();
        file.persist(directory.join(name)).unwrap();
    }

    fn write_slowly(&self, node: Node, random: &mut fastrand::Rng) {
        let (name, content) = self.file(random);
        let mut file = File::create_new(self.place.on(node).join(name)).unwrap();
        for piece in content.as_bytes().chunks(content.len() / random.usize(1..6) + 1) {
            file.write_all(piece).unwrap();
            self.rest(random, 1..200);
        }
    }

    /// Lists a directory by getdata.
    fn list(&self, node: Node) {
        let (file, parent) = (self.files.fetch_add(1, Ordering::SeqCst), tempfile::tempdir().unwrap());
        let token = |record| Token { file, record };
        let root = parent.path().join(token(0).to_string());
        fs::create_dir(&root).unwrap();
        (1..50).for_each(|record| drop(File::create(root.join(token(record).to_string())).unwrap()));
        let getdata = stage("getdata", &self.place.on(node), &["--root", root.to_str().unwrap()]);
        let output = self.place.bed.on(node, getdata).output().unwrap();
        let outcome = if output.status.success() { Outcome::Delivered } else { Outcome::Perhaps };
        (0..50).for_each(|record| self.place.books.ledger.expect(token(record), outcome));
    }

    fn break_things(&self, fleet: &mut Fleet, random: &mut fastrand::Rng) {
        let mut coming = Vec::new();
        while !self.is_over() {
            if coming.is_empty() {
                coming.extend(0..3 * fleet.len() + OUTAGES);
                random.shuffle(&mut coming);
            }
            let Some(fault) = coming.pop() else { continue };
            match fault.checked_sub(OUTAGES) {
                Some(index) if index % 3 == 0 => fleet.kill(index / 3),
                Some(index) if index % 3 == 1 => fleet.restart(index / 3),
                Some(index) => fleet.stall(index / 3),
                None => self.outage(fault, fleet, random),
            }
            self.rest(random, 50..600);
            fleet.tend();
        }
    }

    /// Takes bricks or a node away for a while; meanwhile someone may die and come back.
    fn outage(&self, which: usize, fleet: &mut Fleet, random: &mut fastrand::Rng) {
        let _away = self.is_well.write().unwrap_or_else(PoisonError::into_inner);
        let bed = self.place.bed;
        let brick = random.usize(1..=3);
        let node = Node::ALL[which % 2];
        match which {
            0 | 1 => {
                fleet.count_outage(format!("{node:?} is cut off"));
                bed.cut_off(node);
            }
            2 => {
                fleet.count_outage(format!("brick {brick} dies"));
                bed.kill_brick(brick);
            }
            _ => {
                fleet.count_outage("all bricks die".to_owned());
                (1..=3).for_each(|brick| bed.kill_brick(brick));
            }
        }
        self.rest(random, 200..6_000);
        if random.bool() {
            fleet.kill(random.usize(..fleet.len()));
        }
        self.rest(random, 200..1_500);
        bed.heal();
    }
}

/// Each node cut off, a brick away, all bricks away.
const OUTAGES: usize = 4;
