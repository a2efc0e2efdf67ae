mod clocks;
mod walk;
mod world;

use super::*;
use crate::resource::Phase;
use world::{World, job};

#[test]
fn steps_run_one_after_another_to_the_end() {
    let mut world = World::with_steps(3);
    for index in 0..3 {
        world.settle();
        assert_eq!(world.started(), (0..=index).collect::<Vec<_>>());
        assert_eq!(world.status().step, format!("{}/3", index + 1));
        assert_eq!(world.status().phase, Phase::Running);
        assert_eq!(world.conditions(), [false, true, false]);
        assert_eq!(world.status().progress.current_index, i32::try_from(index).ok());
        world.later(5).end(index, None);
    }
    world.settle();
    let status = world.status();
    assert_eq!((status.phase, status.step.as_str()), (Phase::Succeeded, "3/3"));
    assert_eq!(status.progress.completed_indices, [0, 1, 2]);
    assert_eq!((status.state.active, status.state.succeeded, status.state.failed), (0, 3, 0));
    assert_eq!(world.conditions(), [true, false, false]);
    assert_eq!(status.completion_time.unwrap().0.to_string(), "2024-01-15T10:00:15Z");
    assert_eq!(status.start_time.unwrap().0.to_string(), "2024-01-15T10:00:00Z");
    assert_eq!(world.events, ["JobStarted", "JobCompleted"].repeat(3));
    assert_eq!(status.steps[1].message.as_deref(), Some("Job 1 completed successfully"));
    assert_eq!(status.steps[1].exit_code, Some(0));
}

#[test]
fn nothing_is_done_about_a_finished_sequence() {
    let mut world = World::with_steps(1);
    world.settle().complete(0);
    let plan = world.plan_with(&world.jobs);
    assert_eq!((plan.actions, plan.events, plan.look_again), (vec![], vec![], None));
    assert_eq!(Some(plan.status), world.sequence.status);
    assert!(!plan.needs_finalizer, "its Jobs run no more");
}

#[test]
fn the_message_of_a_running_step_says_what_was_done_before() {
    let mut world = World::with_steps(2);
    world.settle().complete(0);
    assert_eq!(world.condition("Progressing").2, "Job 0 completed successfully; Job 1 is running");
}

#[test]
fn a_failure_at_any_step_ends_the_sequence_and_says_why() {
    for failing in 0..3 {
        let mut world = World::with_steps(3);
        world.settle();
        (0..failing).for_each(|index| _ = world.complete(index));
        world.fail(failing);
        let status = world.status();
        assert_eq!(status.phase, Phase::Failed);
        assert_eq!(world.conditions(), [false, false, true]);
        assert_eq!(world.started().last(), Some(&failing));
        assert_eq!(status.progress.failed_index, i32::try_from(failing).ok());
        assert_eq!(status.progress.failure_reason.as_deref(), Some("BackoffLimitExceeded"));
        assert_eq!(world.condition("Failed").2, format!("Job {failing} failed: it did not work"));
        assert_eq!(status.step, format!("{}/3", failing + 1));
        assert_eq!(world.events.last(), Some(&"JobFailed"));
        assert!(status.completion_time.is_some());
    }
}

#[test]
fn another_value_of_the_retry_annotation_resumes_at_the_failed_step() {
    let mut world = World::with_steps(3);
    world.retry("0").settle().complete(0).fail(1);
    world.settle();
    assert_eq!(world.started(), [0, 1], "an old value is no request");
    world.later(60).retry("1").settle();
    assert_eq!(world.started(), [0, 1, 1]);
    assert_eq!(world.status().start_time.unwrap().0, world.now, "with time of its own");
    assert_eq!(world.status().completion_time, None);
    world.complete(1).complete(2);
    assert_eq!((world.started(), world.status().phase), (vec![0, 1, 1, 2], Phase::Succeeded));
}

#[test]
fn the_retry_annotation_means_nothing_to_what_runs_or_succeeded() {
    let mut world = World::with_steps(2);
    world.settle().retry("1").settle().complete(0).retry("2").settle().complete(1).retry("3").settle();
    assert_eq!((world.started(), world.status().phase), (vec![0, 1], Phase::Succeeded));
}

#[test]
fn a_failed_sequence_resumes_at_its_failed_step_when_the_spec_is_mended() {
    let mends: [fn(&mut World); 3] = [
        |world| _ = world.image(1, "mended"),
        |world| {
            _ = world.change(|spec| {
                spec.template = serde_json::from_str(r#"{"spec": {"serviceAccountName": "a"}}"#).unwrap()
            })
        },
        |world| _ = world.change(|spec| spec.backoff_limit = Some(9)),
    ];
    for mend in mends {
        let mut world = World::with_steps(3);
        world.settle().complete(0).fail(1);
        mend(&mut world);
        world.settle();
        assert_eq!(world.started(), [0, 1, 1]);
        world.complete(1).complete(2);
        assert_eq!(world.status().phase, Phase::Succeeded);
    }
    let mut world = World::with_steps(3);
    world
        .settle()
        .complete(0)
        .fail(1)
        .image(2, "another")
        .change(|spec| spec.ttl_seconds_after_finished = Some(9))
        .settle();
    assert_eq!(world.started(), [0, 1], "what is of no use to the failed step mends nothing");
}

#[test]
fn what_is_filled_in_by_the_webhook_is_no_change() {
    let mut world = World::with_steps(2);
    world.settle();
    world.change(|spec| {
        spec.backoff_limit = Some(6);
        spec.suspend = Some(false);
        spec.template = serde_json::from_str(r#"{"spec": {"restartPolicy": "Never"}}"#).unwrap();
    });
    world.settle().complete(0).complete(1);
    assert_eq!(world.started(), [0, 1]);
}

#[test]
fn a_change_of_a_later_step_disturbs_nothing() {
    let mut world = World::with_steps(3);
    world.settle().image(2, "later").settle();
    assert_eq!(world.started(), [0]);
    world.complete(0).complete(1).complete(2);
    assert_eq!((world.started(), world.status().phase), (vec![0, 1, 2], Phase::Succeeded));
}

#[test]
fn a_running_step_that_is_changed_is_stopped_before_it_runs_again() {
    let mut world = World::with_steps(2);
    world.settle().image(0, "another");
    world.pass(&world.jobs.clone(), usize::MAX);
    assert!(world.jobs[&0].is_deleting);
    world.pass(&world.jobs.clone(), usize::MAX);
    assert_eq!(world.started(), [0], "its pods are not gone");
    assert_eq!(world.condition("Progressing").2, "Waiting for an earlier job 0 to end");
    world.settle();
    assert_eq!(world.started(), [0, 0]);
}

#[test]
fn from_the_first_changed_step_on_it_runs_again() {
    let mut world = World::with_steps(4);
    world.settle().complete(0).complete(1).complete(2).image(1, "another").settle();
    assert_eq!(world.started(), [0, 1, 2, 3, 1]);
    assert_eq!(world.status().progress.completed_indices, [0]);
    world.complete(1).complete(2).complete(3);
    assert_eq!((world.started(), world.status().phase), (vec![0, 1, 2, 3, 1, 2, 3], Phase::Succeeded));
    world.image(3, "another").settle().complete(3);
    assert_eq!(world.started(), [0, 1, 2, 3, 1, 2, 3, 3], "also when it was done");
}

#[test]
fn another_template_does_not_undo_what_is_done() {
    let mut world = World::with_steps(3);
    world.settle().complete(0);
    world.change(|spec| {
        spec.template = serde_json::from_str(r#"{"metadata": {"labels": {"a": "b"}}}"#).unwrap()
    });
    world.settle();
    assert_eq!(world.started(), [0, 1, 1]);
}

#[test]
fn steps_may_be_added_and_taken_away() {
    let mut world = World::with_steps(3);
    world.settle().complete(0).complete(1);
    world.change(|spec| spec.containers.truncate(2)).settle();
    assert_eq!((world.status().phase, world.jobs.len()), (Phase::Succeeded, 2), "the third was stopped");
    let third = serde_json::from_str(r#"{"name": "c2", "image": "i"}"#).unwrap();
    world.change(|spec| spec.containers.push(third)).settle();
    assert_eq!((world.started(), world.status().phase), (vec![0, 1, 2, 2], Phase::Running));
}

#[test]
fn a_job_deleted_by_hand_is_run_again_and_told() {
    let mut world = World::with_steps(2);
    world.settle();
    world.jobs.clear();
    world.settle();
    assert_eq!(world.started(), [0, 0]);
    assert!(world.events.contains(&"JobDeleted"), "{:?}", world.events);
    assert_eq!(world.condition("Progressing").2, "Job 0 was deleted and runs again; Job 0 is running");
    world.complete(0);
    world.jobs.remove(&0);
    world.settle().complete(1);
    assert_eq!(world.started(), [0, 0, 1], "what is done needs no Job");
}

#[test]
fn a_suspended_sequence_starts_nothing_and_pauses_what_runs() {
    let mut world = World::with_steps(2);
    world.change(|spec| spec.suspend = Some(true)).settle();
    assert_eq!((world.started(), world.status().phase), (vec![], Phase::Suspended));
    assert_eq!(world.conditions(), [false, false, false]);
    world.change(|spec| spec.suspend = None).settle();
    assert_eq!(world.started(), [0]);
    world.change(|spec| spec.suspend = Some(true)).settle();
    assert!(world.jobs[&0].is_suspended);
    assert_eq!(world.status().phase, Phase::Suspended);
    world.change(|spec| spec.suspend = Some(false)).settle();
    assert!(!world.jobs[&0].is_suspended);
    world.change(|spec| spec.suspend = Some(true)).end(0, None).settle();
    assert_eq!(world.started(), [0], "the next one waits");
    world.change(|spec| spec.suspend = None).settle().complete(1);
    assert_eq!((world.started(), world.status().phase), (vec![0, 1], Phase::Succeeded));
}

#[test]
fn a_spec_that_cannot_run_fails_without_a_job_and_runs_once_it_can() {
    let mut world = World::with_steps(2);
    world.image(1, "").settle();
    let status = world.status();
    assert_eq!((status.phase, world.started()), (Phase::Failed, vec![]));
    assert_eq!(status.progress.failure_reason.as_deref(), Some(INVALID_SPEC));
    assert_eq!(world.condition("Failed").2, "spec.containers[1].image: `` is no image");
    assert_eq!(world.events, [INVALID_SPEC]);
    world.image(1, "mended").settle();
    assert_eq!(world.started(), [0]);
    world.complete(0).image(1, "").settle();
    assert!(!world.jobs.contains_key(&1), "what runs is stopped");
    world.image(1, "mended").settle();
    assert_eq!(world.started(), [0, 1, 1], "what was done stays done");
}

#[test]
fn a_job_that_the_api_server_refuses_fails_the_step() {
    let mut world = World::with_steps(1);
    world.pass(&BTreeMap::new(), 1);
    let refused = Observation { rejection: Some("no such field".to_owned()), ..Observation::default() };
    let plan = plan(&world.sequence, &refused, world.now);
    assert_eq!(plan.actions, []);
    assert_eq!(plan.status.steps[0].message.as_deref(), Some("Job 0 was refused: no such field"));
    world.sequence.status = Some(plan.status);
    world.settle();
    assert_eq!((world.status().phase, world.started()), (Phase::Failed, vec![]));
    world.image(0, "another").settle();
    assert_eq!(world.started(), [0]);
}

#[test]
fn somebody_elses_job_of_the_same_name_is_left_alone() {
    let mut world = World::with_steps(1);
    world.jobs.insert(0, ObservedJob { is_ours: false, attempt: None, ..job("other", 0) });
    world.settle();
    let plan = world.plan_with(&world.jobs);
    assert_eq!((plan.actions, plan.look_again), (vec![], Some(Duration::from_secs(5))));
    assert!(world.condition("Progressing").2.contains("`sample-0`, which belongs to somebody else"));
    world.jobs.clear();
    world.settle();
    assert_eq!(world.started(), [0]);
}

#[test]
fn a_deleted_sequence_goes_after_its_jobs() {
    let mut world = World::with_steps(2);
    world.settle().complete(0);
    world.sequence.metadata.deletion_timestamp = Some(Time(world.now));
    let first = world.plan_with(&world.jobs);
    assert!(first.needs_finalizer);
    assert_eq!(first.actions.len(), 2);
    world.settle();
    let last = world.plan_with(&world.jobs);
    assert!(!last.needs_finalizer && last.actions.is_empty() && world.jobs.is_empty());
}

#[test]
fn a_deleted_job_is_run_again_only_once_its_pods_have_ended() {
    let mut world = World::with_steps(1);
    world.settle();
    let orphaned = Observation { orphaned: [0].into(), ..Observation::default() };
    let waits = plan(&world.sequence, &orphaned, world.now);
    assert_eq!((waits.actions, waits.look_again), (vec![], Some(Duration::from_secs(5))));
    assert_eq!(waits.status.attempts, 1);
    world.sequence.status = Some(waits.status);
    let message = world.condition("Progressing").2;
    assert_eq!(message, "Waiting for the pods of job 0, which was deleted, to end");
    world.jobs.clear();
    world.settle();
    assert_eq!(world.started(), [0, 0]);
}

#[test]
fn what_is_in_the_way_of_a_job_is_told_once_and_forgotten_once_it_is_gone() {
    let mut world = World::with_steps(1);
    world.pass(&BTreeMap::new(), 1);
    let full = Observation { obstacle: Some("exceeded quota".to_owned()), ..Observation::default() };
    for times in [1, 0] {
        let waits = plan(&world.sequence, &full, world.now);
        assert_eq!((waits.events.len(), waits.look_again), (times, Some(Duration::from_secs(5))));
        world.sequence.status = Some(waits.status);
        let message = "Job 0 cannot be made: exceeded quota; it is tried again";
        assert_eq!(world.condition("Progressing").2, message);
        let tries = world.plan_with(&BTreeMap::new());
        assert_eq!(Some(&tries.status), world.sequence.status.as_ref(), "nothing is known to be another");
        assert_eq!(tries.actions, [Action::Apply { index: 0, attempt: 1, suspend: false }]);
    }
    world.settle();
    assert_eq!(world.condition("Progressing").2, "Job 0 is running");
}

#[test]
fn messages_of_any_length_fit_into_a_status() {
    let mut world = World::with_steps(64);
    world.change(|spec| spec.containers.iter_mut().for_each(|one| one.image = Some("ü ".repeat(2000))));
    world.settle();
    let (_, reason, message) = world.condition("Failed");
    assert_eq!(reason, INVALID_SPEC);
    assert!(message.len() <= MAX_MESSAGE && message.ends_with('…'), "{} bytes", message.len());
    assert_eq!(head("short".to_owned(), 5), "short");
}

/// Were it another one in a later release, all that is done would run again.
#[test]
fn the_hash_of_a_step_is_what_it_was() {
    let spec = serde_json::from_str(
        r#"{
            "containers": [{
                "name": "one", "image": "i", "args": ["a"], "env": [{"name": "E", "value": "v"}],
                "resources": {"limits": {"cpu": "1", "memory": "1Mi"}}, "volumeMounts": [{"name": "d", "mountPath": "/d"}]
            }],
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"volumes": [{"name": "d", "emptyDir": {}}]}},
            "steps": [{"name": "one", "parallelism": 2}]
        }"#,
    );
    assert_eq!(hash::of_step(&spec.unwrap(), 0), "025183880bc44709-e0b8f12e0ac897ad");
}
