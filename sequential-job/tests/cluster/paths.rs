//! Sequences that nothing disturbs.

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use kube::api::{ListParams, PostParams};
use sequential_job::resource::{Phase, SequentialJob, StepPhase};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::history::{Happened, is_true};
use crate::sequences::{FAIL, HANG, OK, is_over, sequence, step};

/// The conditions that are true.
fn conditions(sequence: &SequentialJob) -> Vec<&'static str> {
    let object = serde_json::to_value(sequence).unwrap();
    ["Available", "Progressing", "Failed"].into_iter().filter(|type_| is_true(&object, type_)).collect()
}

fn pairs(events: &[(String, String)]) -> Vec<(&str, &str)> {
    events.iter().map(|(reason, note)| (reason.as_str(), note.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_run_one_after_another_to_the_end() {
    let cluster = Cluster::start().await;
    let _controller = cluster.controller().await;
    cluster.create(&sequence("sample", &[OK, OK, OK])).await;
    let over = cluster.until_is("sample", |one| is_over(one, Phase::Succeeded)).await;
    assert_eq!(conditions(&over), ["Available"]);
    let (generation, uid) = (over.metadata.generation, over.uid().unwrap());
    let status = over.status.unwrap();
    assert_eq!((status.step.as_str(), status.attempts, status.observed_generation), ("3/3", 3, generation));
    assert_eq!(status.progress.completed_indices, [0, 1, 2]);
    assert_eq!((status.state.active, status.state.succeeded, status.state.failed), (0, 3, 0));
    for (index, step) in status.steps.iter().enumerate() {
        assert_eq!((step.job.as_str(), step.exit_code), (format!("sample-{index}").as_str(), Some(0)));
        assert!(step.start_time.is_some() && step.end_time.is_some(), "{step:?}");
    }
    let jobs = cluster.jobs().list(&ListParams::default()).await.unwrap().items;
    assert!(jobs.len() == 3 && jobs.iter().all(|job| job.owner_references()[0].uid == uid));
    let events = cluster.events("sample").await;
    let wanted = [
        ("JobStarted", "Started job 0"),
        ("JobCompleted", "Job 0 completed successfully"),
        ("JobStarted", "Started job 1"),
        ("JobCompleted", "Job 1 completed successfully"),
        ("JobStarted", "Started job 2"),
        ("JobCompleted", "Job 2 completed successfully"),
    ];
    assert_eq!(pairs(&events), wanted);
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_at_any_step_ends_the_sequence_there_and_says_why() {
    let cluster = Cluster::start().await;
    let _controller = cluster.controller().await;
    for failing in 0..3 {
        let name = format!("failing-{failing}");
        let mut steps = [OK; 3];
        steps[failing] = FAIL;
        cluster.create(&sequence(&name, &steps)).await;
        let over = cluster.until_is(&name, |one| is_over(one, Phase::Failed)).await;
        assert_eq!(conditions(&over), ["Failed"]);
        let status = over.status.unwrap();
        let (progress, step) = (&status.progress, &status.steps[failing]);
        assert_eq!(progress.failed_index, i32::try_from(failing).ok());
        assert_eq!(progress.completed_indices.len(), failing);
        assert_eq!((step.exit_code, step.termination_message.as_deref()), (Some(3), Some("no space left")));
        let message = step.message.clone().unwrap();
        assert!(message.contains("exited with code 3") && message.contains("no space left"), "{message}");
        assert!(status.steps[failing + 1..].iter().all(|step| step.phase == StepPhase::Pending));
        let events = cluster.events(&name).await;
        assert_eq!(*events.last().unwrap(), ("JobFailed".to_owned(), message));
    }
    let jobs = cluster.jobs().list(&ListParams::default()).await.unwrap().items;
    assert_eq!(jobs.len(), 1 + 2 + 3, "{:?}", jobs.iter().map(Job::name_any).collect::<Vec<_>>());
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_words_of_a_step_are_told_however_long_they_are() {
    let cluster = Cluster::start().await;
    let _controller = cluster.controller().await;
    let words = "ü".repeat(2000);
    cluster.create(&sequence("wordy", &[&["--message", &words, "--exit", "3"]])).await;
    cluster.until_is("wordy", |one| is_over(one, Phase::Failed)).await;
    let (reason, note) = cluster.events("wordy").await.pop().unwrap();
    assert_eq!(reason, "JobFailed");
    assert!(note.starts_with("Job 0 failed: container `step-0` exited with code 3: ü"), "{note}");
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_read_fails_and_holds_up_no_other() {
    let Some(cluster) = Cluster::only_fake("get past its schema").await else { return };
    let _controller = cluster.controller().await;
    let mut unreadable = serde_json::to_value(sequence("unreadable", &[OK])).unwrap();
    unreadable["spec"]["containers"][0]["livenessProbe"] = json!({"httpGet": {"port": 99_999_999_999_u64}});
    cluster.create_raw(unreadable).await;
    let over = cluster.until_is("unreadable", |one| is_over(one, Phase::Failed)).await;
    let message = over.status.unwrap().conditions.pop().unwrap().message;
    assert!(message.starts_with("spec.containers: ") && message.contains("99999999999"), "{message}");
    cluster.create(&sequence("other", &[OK])).await;
    cluster.until_is("other", |one| is_over(one, Phase::Succeeded)).await;
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spec_that_cannot_run_fails_without_a_job_and_runs_once_it_is_mended() {
    let cluster = Cluster::start().await;
    let _controller = cluster.controller().await;
    // The schema cannot say it: a mount of no volume.
    let mount = |mut one: SequentialJob, mounts: Value| {
        one.spec.containers[1].volume_mounts = serde_json::from_value(mounts).unwrap();
        one
    };
    let invalid = mount(sequence("invalid", &[OK, OK]), json!([{"name": "none", "mountPath": "/data"}]));
    match cluster.sequences().create(&PostParams::default(), &invalid).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.message.contains("validation.batch.example.com") => {
            eprintln!("the webhook of those that are deployed refuses it: {}", status.message);
            assert!(status.message.contains("spec.containers[1].volumeMounts[0].name"));
            return cluster.check(&[]).await;
        }
        other => panic!("{other:?}"),
    }
    let over = cluster.until_is("invalid", |one| is_over(one, Phase::Failed)).await;
    let status = over.status.unwrap();
    assert_eq!(status.progress.failure_reason.as_deref(), Some("InvalidSpec"));
    assert!(
        status.conditions.iter().any(|one| one.message.contains("spec.containers[1].volumeMounts[0].name")),
        "{status:?}"
    );
    assert!(cluster.jobs().list(&ListParams::default()).await.unwrap().items.is_empty());
    cluster.change("invalid", |one| mount(one, json!(null))).await;
    cluster.until("invalid", Phase::Succeeded).await;
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequence_that_is_deleted_goes_after_its_jobs() {
    let cluster = Cluster::start().await;
    let _controller = cluster.controller().await;
    cluster.create(&sequence("running", &[OK, HANG])).await;
    cluster.until_is("running", |one| step(one, 1) == StepPhase::Running).await;
    cluster.delete("running").await;
    cluster.until_gone("running").await;
    assert!(cluster.jobs().list(&ListParams::default()).await.unwrap().items.is_empty());
    let history = cluster.history().await;
    let gone = history.iter().filter(|change| change.happened == Happened::Deleted);
    let gone: Vec<&str> = gone.map(|change| change.plural).filter(|plural| *plural != "pods").collect();
    assert_eq!(gone, ["jobs", "jobs", "sequentialjobs"]);
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequence_that_is_over_goes_when_its_time_to_live_is() {
    let cluster = Cluster::start().await;
    let _controller = cluster.controller().await;
    let mut brief = sequence("brief", &[OK]);
    brief.spec.ttl_seconds_after_finished = Some(0);
    cluster.create(&brief).await;
    cluster.until_job("brief-0", |_| true).await;
    cluster.until_gone("brief").await;
    let history = cluster.history().await;
    let last = history.iter().rfind(|change| change.plural == "sequentialjobs").unwrap();
    assert_eq!(last.object["status"]["phase"], "Succeeded");
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequence_that_takes_too_long_is_stopped() {
    let cluster = Cluster::start().await;
    let _controller = cluster.controller().await;
    let mut slow = sequence("slow", &[HANG, OK]);
    slow.spec.active_deadline_seconds = Some(1);
    cluster.create(&slow).await;
    let over = cluster.until_is("slow", |one| is_over(one, Phase::Failed)).await;
    assert_eq!(over.status.unwrap().progress.failure_reason.as_deref(), Some("DeadlineExceeded"));
    assert!(cluster.jobs().list(&ListParams::default()).await.unwrap().items.is_empty());
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_starts_only_once_the_job_before_is_complete() {
    let Some(cluster) = Cluster::only_fake("keep a job from being complete").await else { return };
    let _controller = cluster.controller().await;
    cluster.as_fake().hold_pods(true);
    cluster.create(&sequence("sample", &[OK, OK])).await;
    let is_about_to = |job: &Job| is_true(&serde_json::to_value(job).unwrap(), "SuccessCriteriaMet");
    cluster.until_job("sample-0", is_about_to).await;
    // What is looked at later has been, so that a step that does not wait would have started.
    cluster.create(&sequence("later", &[HANG])).await;
    cluster.until_is("later", |one| step(one, 0) == StepPhase::Running).await;
    cluster.as_fake().hold_pods(false);
    cluster.until_is("sample", |one| is_over(one, Phase::Succeeded)).await;
    cluster.check(&[]).await;
}
