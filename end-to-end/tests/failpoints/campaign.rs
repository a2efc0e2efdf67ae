//! All crashes of a case: one at each failpoint that its run passes, and pairs of which the second hits the recovery.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::trial::{Case, Run, attempt, place};

/// So many trials at a time: most of their time they wait.
const AT_A_TIME: usize = 16;
/// A crash here has touched no batch yet: pairs with it are as good as single ones.
const BEFORE_ANY_BATCH: &str = "lib/volume/src/self_test.rs";

/// Tries a case: each point once, and at most so many pairs, drawn by `random`.
///
/// # Panics
/// Something was lost or doubled; or hardly any failpoint ended the program.
pub(crate) fn try_all(case: &dyn Case, most_pairs: usize, mut random: fastrand::Rng) {
    let start = Instant::now();
    let points = attempt(case, &[])[0].points.len();
    let numbers: Vec<Vec<usize>> = (1..=points).map(|number| vec![number]).collect();
    let singles = try_each(case, &numbers);
    // Where threads take turns, a run may pass a few points fewer than the first one did.
    let enough = points > 10 && kills(&singles) * 4 > points * 3;
    assert!(enough, "{}: {points} points, but {} crashes", case.name(), kills(&singles));
    let all = pairs(&singles);
    let of_pairs = all.len();
    let pairs = try_each(case, &draw(all, most_pairs, killed_at(&singles), &mut random));
    // Where the second point was never reached, there was one crash only.
    let double = pairs.iter().filter(|runs| runs.iter().filter(|run| run.was_killed).count() == 2).count();
    println!(
        "{}: {points} points, {} crashes, {double} of {of_pairs} double crashes, {:.1?}",
        case.name(),
        kills(&singles),
        start.elapsed()
    );
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

fn killed_at(trials: &[Vec<Run>]) -> BTreeSet<String> {
    trials.iter().flatten().filter_map(Run::killed_at).map(str::to_owned).collect()
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
fn draw(
    mut pairs: Vec<Pair>,
    most: usize,
    mut hit: BTreeSet<String>,
    random: &mut fastrand::Rng,
) -> Vec<Vec<usize>> {
    random.shuffle(&mut pairs);
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
