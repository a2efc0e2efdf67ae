//! Deadlines and times to live.

use std::time::Duration;

use super::super::*;
use super::world::World;
use crate::resource::Phase;

#[test]
fn time_that_is_over_stops_the_step_and_fails_the_sequence() {
    let mut world = World::with_steps(2);
    world.change(|spec| spec.active_deadline_seconds = Some(60)).settle();
    assert_eq!(world.plan_with(&world.jobs).look_again, Some(Duration::from_secs(61)));
    world.later(59).complete(0);
    assert_eq!(world.started(), [0, 1]);
    world.later(1).settle();
    assert_eq!(world.status().progress.failure_reason.as_deref(), Some(DEADLINE_EXCEEDED));
    assert!(!world.jobs.contains_key(&1), "it does not run on");
    world.later(60).settle();
    assert_eq!(world.started(), [0, 1]);
    world.change(|spec| spec.active_deadline_seconds = Some(600)).settle();
    assert_eq!((world.started(), world.status().phase), (vec![0, 1, 1], Phase::Running));
    world.later(600).settle();
    assert_eq!(world.status().phase, Phase::Failed, "counted from its start");
    world.retry("1").settle();
    assert_eq!(world.status().phase, Phase::Running, "a retry has all the time");
}

#[test]
fn suspension_does_not_use_up_the_time() {
    let mut world = World::with_steps(1);
    world.change(|spec| spec.active_deadline_seconds = Some(60)).settle();
    world.change(|spec| spec.suspend = Some(true)).settle().later(3600).settle();
    assert_eq!(world.status().phase, Phase::Suspended);
    world.change(|spec| spec.suspend = None).settle().later(59).settle();
    assert_eq!(world.status().phase, Phase::Running);
    world.later(1).settle();
    assert_eq!(world.status().phase, Phase::Failed);
}

#[test]
fn a_finished_sequence_goes_when_its_time_to_live_is_over() {
    let mut world = World::with_steps(1);
    world.change(|spec| spec.ttl_seconds_after_finished = Some(100)).settle().complete(0).later(40);
    assert_eq!(world.plan_with(&world.jobs).look_again, Some(Duration::from_secs(60)));
    world.later(60);
    assert_eq!(world.plan_with(&world.jobs).actions, [Action::DeleteSequence]);
}

/// Controllers on several machines follow each other, and no two clocks agree.
#[test]
fn a_clock_that_goes_back_takes_no_failure_back() {
    let mut world = World::with_steps(1);
    world.change(|spec| spec.active_deadline_seconds = Some(60)).settle().later(60).settle();
    assert_eq!(world.status().phase, Phase::Failed);
    world.later(-5).settle();
    assert_eq!((world.status().phase, world.started()), (Phase::Failed, vec![0]));
}

#[test]
fn no_deadline_is_too_far_for_any_clock() {
    let mut world = World::with_steps(1);
    world.change(|spec| spec.active_deadline_seconds = Some(i64::MAX)).settle().later(-3600).settle();
    assert_eq!(world.status().phase, Phase::Running);
    world.complete(0);
    assert_eq!(world.status().phase, Phase::Succeeded);
}

#[test]
fn what_ended_in_time_counts_however_late_it_is_seen() {
    let mut world = World::with_steps(1);
    world.change(|spec| spec.active_deadline_seconds = Some(60)).settle().end(0, None);
    world.later(3600).settle();
    assert_eq!(world.status().phase, Phase::Succeeded);
}

#[test]
fn a_step_whose_time_was_over_before_it_began_is_not_started_and_can_be_mended() {
    let mut world = World::with_steps(2);
    world.change(|spec| spec.active_deadline_seconds = Some(60)).settle().end(0, None);
    world.later(3600).settle();
    let status = world.status();
    assert_eq!((status.phase, world.started()), (Phase::Failed, vec![0]));
    assert_eq!((status.progress.failed_index, status.progress.completed_indices), (Some(1), vec![0]));
    assert_eq!(world.events, ["JobStarted", "JobCompleted", "JobFailed"], "said once");
    world.image(1, "mended").settle();
    assert_eq!((world.status().phase, world.started()), (Phase::Running, vec![0, 1]));
}
