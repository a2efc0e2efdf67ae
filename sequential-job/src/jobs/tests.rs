use serde_json::json;

use super::*;

#[test]
fn the_name_of_a_job_is_the_sequences_with_the_index() {
    assert_eq!(job_name("data-pipeline", 0), "data-pipeline-0");
    assert_eq!(job_name(&"n".repeat(61), 9), format!("{}-9", "n".repeat(61)));
}

#[test]
fn long_names_are_shortened_and_stay_apart() {
    let (one, other) = ("n".repeat(63), format!("{}m", "n".repeat(62)));
    for (name, index) in [(&one, 0), (&one, 63), (&other, 63)] {
        let job = job_name(name, index);
        assert!(job.len() <= MAX_NAME && job.ends_with(&format!("-{index}")), "{job}");
    }
    assert_ne!(job_name(&one, 10), job_name(&other, 10));
    assert_eq!(job_name(&one, 10), job_name(&one, 10));
}

/// As the API server shows it to a watch.
fn watched(job: &Job) -> WatchedJob {
    let mut job: WatchedJob = serde_json::from_value(serde_json::to_value(job).unwrap()).unwrap();
    job.shrink();
    job
}

fn sequence() -> SequentialJob {
    serde_json::from_value(json!({
        "apiVersion": "batch.example.com/v1alpha1", "kind": "SequentialJob",
        "metadata": {"name": "sample", "namespace": "default", "uid": "u"},
        "spec": {
            "containers": [{"name": "one", "image": "i"}, {"name": "two", "image": "i"}],
            "template": {
                "metadata": {"labels": {"app": "a"}},
                "spec": {"volumes": [{"name": "data"}], "serviceAccountName": "robot"},
            },
            "steps": [{"name": "two", "parallelism": 2, "completions": 4}],
            "backoffLimit": 1,
        },
    }))
    .unwrap()
}

#[test]
fn a_job_has_the_template_and_its_own_container() {
    let job = job(&sequence(), 1, 7, false);
    let (metadata, spec) = (&job.metadata, job.spec.as_ref().unwrap());
    assert_eq!(metadata.name.as_deref(), Some("sample-1"));
    let owner = &job.owner_references()[0];
    assert_eq!(
        (owner.uid.as_str(), owner.controller, owner.block_owner_deletion),
        ("u", Some(true), Some(true))
    );
    assert_eq!((spec.parallelism, spec.completions, spec.backoff_limit), (Some(2), Some(4), Some(1)));
    assert_eq!(spec.pod_replacement_policy.as_deref(), Some("Failed"), "two pods of a step at once");
    let (pod, labels) = (spec.template.spec.as_ref().unwrap(), spec.template.metadata.as_ref().unwrap());
    assert_eq!(pod.containers.len(), 1);
    assert_eq!(pod.containers[0].name, "two");
    assert_eq!(pod.restart_policy.as_deref(), Some("Never"));
    assert_eq!(pod.service_account_name.as_deref(), Some("robot"));
    assert_eq!(labels.labels.as_ref().unwrap()["app"], "a");
    assert_eq!(labels.labels.as_ref().unwrap()[SEQUENCE_LABEL], "sample");
    assert_eq!(labels.annotations.as_ref().unwrap()[ATTEMPT_ANNOTATION], "7");
}

#[test]
fn what_is_observed_of_a_job_is_what_it_was_made_with() {
    let mut job = job(&sequence(), 0, 3, true);
    job.metadata.uid = Some("j".to_owned());
    let job = watched(&job);
    let observed = observe(&job, "u");
    assert_eq!((observed.attempt, observed.is_ours, observed.is_suspended), (Some(3), true, true));
    assert_eq!((observed.uid.as_str(), observed.outcome), ("j", None));
    assert!(!observe(&job, "another").is_ours);
}

#[test]
fn the_pod_that_decided_explains_the_end() {
    let pod = |code: i32, at: &str, message: &str| -> Pod {
        serde_json::from_value(json!({"metadata": {}, "status": {"containerStatuses": [{
            "name": "one", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": code, "reason": "Error", "message": message, "finishedAt": at}},
        }]}}))
        .unwrap()
    };
    let pods = [
        pod(4, "2024-01-15T10:00:02Z", "first line\nno such table\n"),
        pod(3, "2024-01-15T10:00:01Z", "earlier"),
        pod(0, "2024-01-15T10:00:03Z", "fine"),
    ];
    let mut outcome = Outcome {
        at: Timestamp::UNIX_EPOCH,
        failure: Some(Failure { reason: "BackoffLimitExceeded".into(), message: "too often".into() }),
        exit_code: None,
        termination_message: None,
    };
    explain(&mut outcome, &pods, "one");
    assert_eq!(outcome.exit_code, Some(4));
    assert_eq!(outcome.termination_message.as_deref(), Some("first line\nno such table"));
    assert_eq!(
        outcome.failure.unwrap().message,
        "container `one` exited with code 4: no such table (too often)"
    );
    let mut outcome =
        Outcome { at: Timestamp::UNIX_EPOCH, failure: None, exit_code: None, termination_message: None };
    explain(&mut outcome, &pods, "one");
    assert_eq!((outcome.exit_code, outcome.termination_message.as_deref()), (Some(0), Some("fine")));
}

#[test]
fn of_a_long_message_the_end_is_kept() {
    let long = format!("{}é the end", "x".repeat(5000));
    let kept = tail(&long);
    assert_eq!(kept.chars().count(), MESSAGE_TAIL);
    assert!(kept.ends_with("é the end"));
    assert_eq!(tail("short"), "short");
}
