//! Random walks: whatever happens to Jobs, spec and controller, in whatever order.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::{ObservedJob, hash};
use super::world::World;
use crate::resource::{Phase, SequentialJobStatus, StepPhase};

/// Something that happens.
#[derive(Debug, Clone)]
enum Happening {
    /// The controller makes a pass with Jobs as they were so many happenings ago, and is killed after so many calls.
    Pass {
        behind: usize,
        calls: usize,
    },
    Complete(usize),
    Fail(usize),
    /// What is being deleted is gone.
    Gone(usize),
    DeleteByHand(usize),
    Change(usize),
    ChangeTemplate,
    Suspend(bool),
    Retry,
    Later(i64),
}

impl Happening {
    /// Whether it may make a step run a second time.
    fn is_disturbance(&self) -> bool {
        matches!(self, Self::DeleteByHand(_) | Self::Change(_) | Self::ChangeTemplate | Self::Retry)
    }
}

const STEPS: usize = 4;

fn happening() -> impl Strategy<Value = Happening> {
    let step = 0..STEPS;
    prop_oneof![
        8 => (0..4_usize, 0..5_usize).prop_map(|(behind, calls)| Happening::Pass { behind, calls }),
        8 => Just(Happening::Pass { behind: 0, calls: usize::MAX }),
        6 => step.clone().prop_map(Happening::Complete),
        1 => step.clone().prop_map(Happening::Fail),
        4 => step.clone().prop_map(Happening::Gone),
        1 => step.clone().prop_map(Happening::DeleteByHand),
        1 => step.prop_map(Happening::Change),
        1 => Just(Happening::ChangeTemplate),
        1 => any::<bool>().prop_map(Happening::Suspend),
        1 => Just(Happening::Retry),
        1 => (1..100_i64).prop_map(Happening::Later),
    ]
}

struct Walk {
    world: World,
    /// What the Jobs were, the newest last.
    history: Vec<BTreeMap<usize, ObservedJob>>,
    disturbances: usize,
}

impl Walk {
    fn happens(&mut self, happening: &Happening, nth: usize) {
        let world = &mut self.world;
        let is_running = |job: &ObservedJob| job.outcome.is_none() && !job.is_deleting;
        match happening {
            Happening::Pass { behind, calls } => {
                let seen = self.history[self.history.len().saturating_sub(behind + 1)].clone();
                let made = world.made.len();
                world.pass(&seen, *calls);
                self.made_in_turn(made);
            }
            Happening::Complete(index) if world.jobs.get(index).is_some_and(is_running) => {
                _ = world.end(*index, None)
            }
            Happening::Fail(index) if world.jobs.get(index).is_some_and(is_running) => {
                _ = world.end(*index, Some("Failed"))
            }
            Happening::Gone(index) if world.jobs.get(index).is_some_and(|job| job.is_deleting) => {
                world.jobs.remove(index);
            }
            // Its pods go first, as always.
            Happening::DeleteByHand(index) => {
                if let Some(job) = world.jobs.get_mut(index) {
                    job.is_deleting = true;
                }
            }
            Happening::Change(index) => _ = world.image(*index, &format!("image-{nth}")),
            Happening::ChangeTemplate => {
                world.change(|spec| {
                    let metadata = &mut spec.template.get_or_insert_default().metadata;
                    let annotations = metadata.get_or_insert_default().annotations.get_or_insert_default();
                    annotations.insert("nth".to_owned(), nth.to_string());
                });
            }
            Happening::Suspend(suspend) => _ = world.change(|spec| spec.suspend = Some(*suspend)),
            Happening::Retry => _ = world.retry(&nth.to_string()),
            Happening::Later(seconds) => _ = world.later(*seconds),
            _ => {}
        }
        self.disturbances += usize::from(happening.is_disturbance());
        self.history.push(self.world.jobs.clone());
    }

    /// Whatever was made since has all steps before it done, by Jobs that did complete.
    fn made_in_turn(&self, before: usize) {
        let steps = self.world.status().steps;
        for (index, attempt) in &self.world.made[before..] {
            assert_eq!(steps[*index].attempt, Some(*attempt));
            for (earlier, step) in steps[..*index].iter().enumerate() {
                assert_eq!(step.phase, StepPhase::Succeeded, "step {earlier} was skipped");
                let attempt = step.attempt.expect("an attempt that completed");
                assert!(
                    self.world.completed.contains(&(earlier, attempt)),
                    "step {earlier} did not complete"
                );
                let wanted = hash::of_step(&self.world.sequence.spec, earlier);
                assert!(
                    hash::has_same_own_half(step.spec_hash.as_deref().unwrap(), &wanted),
                    "{earlier} is another"
                );
            }
        }
    }

    fn holds(&self, before: &SequentialJobStatus, happening: &Happening, was_undisturbed: bool) {
        let running = self.world.jobs.values().filter(|job| job.outcome.is_none()).count();
        assert!(running <= 1, "{running} steps at once after {happening:?}");
        let now = self.world.status();
        assert!(now.attempts >= before.attempts);
        if was_undisturbed {
            let (then, now) = (&before.progress.completed_indices, &now.progress.completed_indices);
            assert!(now.starts_with(then), "what was done is not any more: {then:?}, {now:?}");
            let is_over = |phase| [Phase::Succeeded, Phase::Failed].contains(&phase);
            assert!(!is_over(before.phase) || self.world.status().phase == before.phase);
        }
        for index in 0..STEPS {
            let made = self.world.made.iter().filter(|(step, _)| *step == index).count();
            assert!(made <= 1 + self.disturbances, "step {index} was made {made} times");
        }
        assert!(self.world.made.iter().map(|(_, attempt)| *attempt).is_sorted(), "an old attempt was made");
    }

    /// However it got here, it goes on from here to an end.
    fn ends(mut self) {
        self.world.change(|spec| spec.suspend = None);
        for _ in 0..3 * STEPS {
            self.world.settle();
            let running =
                self.world.jobs.iter().find(|(_, job)| job.outcome.is_none()).map(|(index, _)| *index);
            let Some(index) = running else { break };
            self.world.end(index, None);
        }
        let phase = self.world.status().phase;
        assert!([Phase::Succeeded, Phase::Failed].contains(&phase), "{:?}", self.world.status());
        self.world.retry("last");
        for _ in 0..3 * STEPS {
            self.world.settle();
            let running =
                self.world.jobs.iter().find(|(_, job)| job.outcome.is_none()).map(|(index, _)| *index);
            let Some(index) = running else { break };
            self.world.end(index, None);
        }
        assert_eq!(self.world.status().phase, Phase::Succeeded);
    }
}

fn walk(happenings: &[Happening]) {
    let world = World::with_steps(STEPS);
    let mut walk = Walk { history: vec![world.jobs.clone()], world, disturbances: 0 };
    for (nth, happening) in happenings.iter().enumerate() {
        let before = walk.world.status();
        walk.happens(happening, nth);
        walk.holds(&before, happening, walk.disturbances == 0);
    }
    walk.ends();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_two_steps_run_none_is_skipped_and_nothing_goes_back(happenings in prop::collection::vec(happening(), 1..120)) {
        walk(&happenings);
    }

    #[test]
    fn without_a_disturbance_no_step_is_ever_made_twice(
        happenings in prop::collection::vec(happening().prop_filter("disturbs", |one| !one.is_disturbance()), 1..120),
    ) {
        walk(&happenings);
    }
}
