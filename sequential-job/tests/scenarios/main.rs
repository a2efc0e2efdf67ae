//! The calls that a pass makes, one by one, against a scripted API server.
//!
//! - `fixture`: sequences and Jobs, by adjectives
//! - `scenario`: the calls that are expected, and their answers

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod fixture;
mod scenario;

use fixture::{Sequence, job};
use kube::ResourceExt;
use scenario::Scenario;
use sequential_job::resource::RETRY_ANNOTATION;
use serde_json::json;

#[tokio::test]
async fn a_new_sequence_gets_its_finalizer_its_intent_and_its_first_job() {
    let sequence = Sequence::of(2);
    let sequence_with = sequence.clone().finalized();
    let pending = sequence_with.clone().version(2).intends(0, 1);
    Scenario::new(&sequence, &[])
        .expect("PATCH", "/sequentialjobs/sample", json!({"metadata": {"finalizers": ["batch.example.com/jobs"]}}), sequence_with.version(1).json())
        .expect("PATCH", "/sequentialjobs/sample/status", json!({"metadata": {"resourceVersion": "1"}, "status": {"phase": "Running", "step": "1/2", "attempts": 1}}), pending.json())
        .expect("PATCH", "/jobs/sample-0", json!({"metadata": {"name": "sample-0"}}), job(0, 1).json())
        .expect("PATCH", "/status", json!({"metadata": {"resourceVersion": "2"}, "status": {"state": {"active": 1}}}), pending.clone().version(3).json())
        .expect("POST", "/events", json!({"reason": "JobStarted", "note": "Started job 0", "reportingController": "sequentialjob-controller"}), json!({}))
        .run()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_job_that_completed_costs_six_calls_with_the_start_of_the_next() {
    let sequence = Sequence::of(2).finalized().version(5).runs(0, 1);
    let next = sequence.clone().version(6).did(0, 1).intends(1, 2);
    Scenario::new(&sequence, &[job(0, 1).completed()])
        .expect(
            "GET",
            "/pods?&labelSelector=batch.kubernetes.io%2Fcontroller-uid%3Djob-0-1&limit=100",
            json!(null),
            json!({"items": []}),
        )
        .expect(
            "PATCH",
            "/status",
            json!({"status": {"progress": {"completedIndices": [0]}, "attempts": 2}}),
            next.json(),
        )
        .expect(
            "POST",
            "/events",
            json!({"reason": "JobCompleted", "note": "Job 0 completed successfully"}),
            json!({}),
        )
        .expect("PATCH", "/jobs/sample-1", json!({"spec": {"suspend": false}}), job(1, 2).json())
        .expect("PATCH", "/status", json!({"status": {"step": "2/2"}}), next.clone().version(7).json())
        .expect("POST", "/events", json!({"reason": "JobStarted", "note": "Started job 1"}), json!({}))
        .run()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_finished_sequence_costs_no_call() {
    let sequence = Sequence::of(1).version(9).settled(&[job(0, 1).completed()]);
    Scenario::new(&sequence, &[job(0, 1).completed()]).run().await.unwrap();
}

#[tokio::test]
async fn a_running_sequence_of_which_nothing_is_new_costs_no_call() {
    let sequence = Sequence::of(2).finalized().version(9).settled(&[job(0, 1)]);
    Scenario::new(&sequence, &[job(0, 1)]).run().await.unwrap();
}

#[tokio::test]
async fn who_decides_on_an_old_view_does_nothing() {
    let sequence = Sequence::of(1).finalized().version(3);
    let error =
        Scenario::new(&sequence, &[]).refuse("PATCH", "/status", 409, "Conflict").run().await.unwrap_err();
    assert!(error.is_conflict());
}

/// An apply that changes nothing is answered with what is there, whatever version it names.
#[tokio::test]
async fn who_wrote_the_same_before_does_nothing_where_the_resource_was_changed_since() {
    let sequence = Sequence::of(2).finalized().version(5).runs(0, 1);
    let next = sequence.clone().version(7).did(0, 1).intends(1, 2);
    let mut changes: [Sequence; 3] = [next.clone(), next.clone().deleted(), next];
    changes[0].0.metadata.generation = Some(2);
    changes[0].0.spec.containers.truncate(1);
    changes[2].0.annotations_mut().insert(RETRY_ANNOTATION.to_owned(), "1".to_owned());
    for changed in changes {
        let error = Scenario::new(&sequence, &[job(0, 1).completed()])
            .expect("GET", "/pods", json!(null), json!({"items": []}))
            .expect("PATCH", "/status", json!({"status": {"attempts": 2}}), changed.json())
            .run()
            .await
            .unwrap_err();
        assert!(error.is_conflict());
    }
}

#[tokio::test]
async fn a_job_of_somebody_else_that_no_cache_has_is_waited_for_and_left_alone() {
    let sequence = Sequence::of(1).finalized().version(4).settled_intent();
    let mut other = job(0, 1);
    other.0.metadata.owner_references = None;
    let waits = json!({"status": {"attempts": 1, "phase": "Running", "state": {"active": 0}}});
    Scenario::new(&sequence, &[])
        .refuse("GET", "/jobs/sample-0", 404, "NotFound")
        .expect("GET", "/sequentialjobs/sample", json!(null), sequence.json())
        .refuse("PATCH", "/jobs/sample-0", 422, "Invalid")
        .expect("GET", "/jobs/sample-0", json!(null), other.json())
        .expect("PATCH", "/status", waits, sequence.clone().version(5).json())
        .run()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_job_that_is_gone_is_run_again_after_its_pods() {
    let sequence = Sequence::of(1).finalized().version(9).settled(&[job(0, 1)]);
    let pod = |phase: &str| json!({"items": [{"metadata": {"name": "p"}, "status": {"phase": phase}}]});
    let pods = "/pods?&labelSelector=batch.kubernetes.io%2Fcontroller-uid%3Djob-0-1&limit=100";
    Scenario::new(&sequence, &[])
        .refuse("GET", "/jobs/sample-0", 404, "NotFound")
        .expect("GET", pods, json!(null), pod("Running"))
        .expect("PATCH", "/status", json!({"status": {"attempts": 1}}), sequence.clone().version(10).json())
        .run()
        .await
        .unwrap();
    let again = sequence.clone().version(10).intends(0, 2);
    Scenario::new(&sequence, &[])
        .refuse("GET", "/jobs/sample-0", 404, "NotFound")
        .expect("GET", pods, json!(null), pod("Failed"))
        .expect("PATCH", "/status", json!({"status": {"attempts": 2}}), again.json())
        .expect("POST", "/events", json!({"reason": "JobDeleted"}), json!({}))
        .expect("PATCH", "/jobs/sample-0", json!({"kind": "Job"}), job(0, 2).json())
        .expect("PATCH", "/status", json!({"status": {"state": {"active": 1}}}), again.version(11).json())
        .expect("POST", "/events", json!({"reason": "JobStarted"}), json!({}))
        .run()
        .await
        .unwrap();
}

#[tokio::test]
async fn after_a_kill_between_intent_and_job_the_resource_is_read_anew_before_the_job_is_made() {
    let sequence = Sequence::of(1).finalized().version(4).settled_intent();
    let error = Scenario::new(&sequence, &[])
        .refuse("GET", "/jobs/sample-0", 404, "NotFound")
        .expect("GET", "/sequentialjobs/sample", json!(null), sequence.clone().version(5).json())
        .run()
        .await
        .unwrap_err();
    assert!(error.is_conflict(), "it is another one by now");
    Scenario::new(&sequence, &[])
        .refuse("GET", "/jobs/sample-0", 404, "NotFound")
        .expect("GET", "/sequentialjobs/sample", json!(null), sequence.json())
        .expect("PATCH", "/jobs/sample-0", json!({"metadata": {"name": "sample-0"}}), job(0, 1).json())
        .expect(
            "PATCH",
            "/status",
            json!({"status": {"state": {"active": 1}}}),
            sequence.clone().version(5).json(),
        )
        .expect("POST", "/events", json!({"reason": "JobStarted"}), json!({}))
        .run()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_job_that_the_cache_does_not_have_is_looked_for_past_it() {
    let sequence = Sequence::of(1).finalized().version(9).settled(&[job(0, 1)]);
    Scenario::new(&sequence, &[])
        .expect("GET", "/jobs/sample-0", json!(null), job(0, 1).json())
        .run()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_job_that_the_api_server_refuses_fails_the_sequence() {
    let sequence = Sequence::of(1).finalized().version(4).settled_intent();
    Scenario::new(&sequence, &[])
        .refuse("GET", "/jobs/sample-0", 404, "NotFound")
        .expect("GET", "/sequentialjobs/sample", json!(null), sequence.json())
        .refuse("PATCH", "/jobs/sample-0", 422, "Invalid")
        .refuse("GET", "/jobs/sample-0", 404, "NotFound")
        .expect(
            "PATCH",
            "/status",
            json!({"status": {"phase": "Failed", "progress": {"failureReason": "InvalidSpec"}}}),
            sequence.clone().version(5).json(),
        )
        .expect("POST", "/events", json!({"reason": "JobFailed", "type": "Warning"}), json!({}))
        .expect(
            "PATCH",
            "/sequentialjobs/sample",
            json!({"metadata": {"finalizers": []}}),
            sequence.clone().version(6).json(),
        )
        .run()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_job_that_is_forbidden_now_is_told_and_tried_again() {
    let sequence = Sequence::of(1).finalized().version(4).settled_intent();
    Scenario::new(&sequence, &[])
        .refuse("GET", "/jobs/sample-0", 404, "NotFound")
        .expect("GET", "/sequentialjobs/sample", json!(null), sequence.json())
        .refuse("PATCH", "/jobs/sample-0", 403, "Forbidden")
        .expect(
            "PATCH",
            "/status",
            json!({"status": {"phase": "Running", "attempts": 1}}),
            sequence.clone().version(5).json(),
        )
        .expect("POST", "/events", json!({"reason": "FailedCreate", "type": "Warning"}), json!({}))
        .run()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_deleted_sequence_takes_its_jobs_along_by_uid_and_in_the_foreground() {
    let sequence = Sequence::of(1).finalized().version(9).settled(&[job(0, 1)]).deleted();
    Scenario::new(&sequence, &[job(0, 1)])
        .expect("GET", "/sequentialjobs/sample", json!(null), sequence.json())
        .expect(
            "DELETE",
            "/jobs/sample-0",
            json!({"propagationPolicy": "Foreground", "preconditions": {"uid": "job-0-1"}}),
            job(0, 1).json(),
        )
        .run()
        .await
        .unwrap();
    Scenario::new(&sequence, &[])
        .refuse("GET", "/jobs/sample-0", 404, "NotFound")
        .expect(
            "PATCH",
            "/sequentialjobs/sample",
            json!({"metadata": {"finalizers": []}}),
            sequence.clone().version(10).json(),
        )
        .run()
        .await
        .unwrap();
}

#[tokio::test]
async fn an_event_that_is_lost_holds_nothing_up() {
    let sequence = Sequence::of(1).version(3).image("").finalized();
    Scenario::new(&sequence, &[])
        .expect(
            "PATCH",
            "/status",
            json!({"status": {"phase": "Failed"}}),
            sequence.clone().version(4).json(),
        )
        .refuse("POST", "/events", 500, "InternalError")
        .expect(
            "PATCH",
            "/sequentialjobs/sample",
            json!({"metadata": {"finalizers": []}}),
            sequence.clone().version(5).json(),
        )
        .run()
        .await
        .unwrap();
}
