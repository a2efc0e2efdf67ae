//! All crashes of a case: one at each of its points, and pairs of which the second hits the recovery.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::trial::{Case, Run, attempt, place};

/// So many trials at a time: most of their time they wait.
const AT_A_TIME: usize = 16;
/// A crash here has touched no batch yet: pairs with it are as good as single ones.
const BEFORE_ANY_BATCH: &str = "lib/volume/src/self_test.rs";

/// What came of a case.
#[derive(Default)]
pub(crate) struct Report {
    /// How many points a run without crash has.
    points: usize,
    singles: usize,
    pairs: usize,
    of_pairs: usize,
    elapsed: Duration,
    /// Places that were passed, and those where a process was killed.
    pub(crate) passed: BTreeSet<String>,
    pub(crate) killed: BTreeSet<String>,
}

impl Report {
    fn add(&mut self, runs: &[Run]) {
        for run in runs {
            self.passed.extend(run.points.iter().map(|point| place(point).to_owned()));
            self.killed.extend(run.killed_at().map(str::to_owned));
        }
    }
}

/// Tries a case: each point once, and at most so many pairs, drawn by `random`.
pub(crate) fn try_all(case: &dyn Case, most_pairs: usize, mut random: fastrand::Rng) -> Report {
    let start = Instant::now();
    let unharmed = attempt(case, &[]);
    let mut report = Report { points: unharmed[0].points.len(), ..Report::default() };
    report.add(&unharmed);

    let numbers: Vec<Vec<usize>> = (1..=report.points).map(|number| vec![number]).collect();
    let singles = try_each(case, &numbers);
    singles.iter().for_each(|runs| report.add(runs));
    report.singles = kills(&singles);

    let all = pairs(&singles);
    report.of_pairs = all.len();
    let pairs = try_each(case, &draw(all, most_pairs, &report, &mut random));
    pairs.iter().for_each(|runs| report.add(runs));
    // Where the second point was never reached, there was one crash only.
    report.pairs = pairs.iter().filter(|runs| runs.iter().filter(|run| run.was_killed).count() == 2).count();
    report.elapsed = start.elapsed();
    let Report { points, singles, pairs, of_pairs, elapsed, .. } = &report;
    let name = case.name();
    println!(
        "{name}: {points} points, {singles} crashes, {pairs} of {of_pairs} double crashes, {elapsed:.1?}"
    );
    report
}

/// Kills a program at so many of its points, drawn by `random`, a trial each.
pub(crate) fn kill_at_some(case: &dyn Case, count: usize, mut random: fastrand::Rng) {
    let points = attempt(case, &[])[0].points.len();
    let numbers: Vec<Vec<usize>> = (0..count).map(|_| vec![random.usize(1..=points)]).collect();
    let trials = try_each(case, &numbers);
    println!("{}: {points} points, {} crashes", case.name(), kills(&trials));
}

fn kills(trials: &[Vec<Run>]) -> usize {
    trials.iter().flatten().filter(|run| run.was_killed).count()
}

/// A pair of crashes, and the place of the second.
struct Pair {
    numbers: Vec<usize>,
    place: String,
}

/// Each crash with each point of the run that followed it.
fn pairs(singles: &[Vec<Run>]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (index, runs) in singles.iter().enumerate() {
        let [first, second] = runs.as_slice() else { continue };
        if first.killed_at().is_none_or(|place| place.starts_with(BEFORE_ANY_BATCH)) {
            continue;
        }
        for (point, number) in second.points.iter().zip(1..) {
            let place = place(point).to_owned();
            if !place.starts_with(BEFORE_ANY_BATCH) {
                pairs.push(Pair { numbers: vec![index + 1, number], place });
            }
        }
    }
    pairs
}

/// Draws pairs: for every place that no single crash hit the first, and others up to `most`.
fn draw(mut pairs: Vec<Pair>, most: usize, report: &Report, random: &mut fastrand::Rng) -> Vec<Vec<usize>> {
    random.shuffle(&mut pairs);
    let mut hit = report.killed.clone();
    let (mut drawn, others): (Vec<Pair>, Vec<Pair>) =
        pairs.into_iter().partition(|pair| hit.insert(pair.place.clone()));
    let more = most.saturating_sub(drawn.len());
    drawn.extend(others.into_iter().take(more));
    drawn.into_iter().map(|pair| pair.numbers).collect()
}

/// Makes a trial for each list of crashes, several at a time; their outcomes in the order of the lists.
fn try_each(case: &dyn Case, lists: &[Vec<usize>]) -> Vec<Vec<Run>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let index = next.fetch_add(1, Ordering::Relaxed)
            && let Some(kill_at) = lists.get(index)
        {
            let outcome = catch_unwind(AssertUnwindSafe(|| attempt(case, kill_at)));
            let runs = outcome.unwrap_or_else(|panic| {
                eprintln!("{}: killed at {kill_at:?}", case.name());
                resume_unwind(panic)
            });
            done.push((index, runs));
        }
        done
    };
    let mut done: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, runs)| runs).collect()
}
