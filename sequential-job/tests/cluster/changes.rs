//! Sequences that people change while they run, and after.

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use kube::api::{ListParams, PostParams};
use sequential_job::resource::{Phase, SequentialJob, StepPhase};

use crate::cluster::Cluster;
use crate::contract::job;
use crate::sequences::{Adjectives, FAIL, HANG, OK, is_over, sequence, step};

fn is_running(index: usize) -> impl Fn(&SequentialJob) -> bool {
    move |one| step(one, index) == StepPhase::Running
}

fn attempts(one: &SequentialJob) -> i64 {
    one.status.as_ref().map_or(0, |status| status.attempts)
}

/// Whether the condition `Progressing` says this.
fn is_told(one: &SequentialJob, text: &str) -> bool {
    let conditions = one.status.iter().flat_map(|status| &status.conditions);
    conditions.filter(|one| one.type_ == "Progressing").any(|one| one.message.contains(text))
}

fn is_suspended(job: &Job) -> bool {
    job.spec.as_ref().and_then(|spec| spec.suspend) == Some(true)
}

/// Whether the Job has a pod that runs or may.
fn is_active(job: &Job) -> bool {
    job.status.as_ref().and_then(|status| status.active).unwrap_or(0) > 0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_runs_the_failed_step_again_and_no_other() {
    let cluster = Cluster::start().await;
    let _controller = cluster.controller().await;
    cluster.create(&sequence("sample", &[OK, FAIL, OK])).await;
    cluster.until_is("sample", |one| is_over(one, Phase::Failed)).await;
    cluster.change("sample", |one| one.retried("once")).await;
    cluster.until_is("sample", |one| is_over(one, Phase::Failed) && attempts(one) == 3).await;
    cluster.change("sample", |one| one.with_step(1, OK)).await;
    let over = cluster.until_is("sample", |one| is_over(one, Phase::Succeeded)).await;
    assert_eq!(attempts(&over), 5);
    cluster.check(&[("sample-1", 3)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_sequence_has_no_pods_and_continues_with_the_same_job() {
    let cluster = Cluster::start().await;
    let _controller = cluster.controller().await;
    cluster.create(&sequence("sample", &[HANG, OK])).await;
    let before = cluster.until_job("sample-0", is_active).await;
    cluster.change("sample", |one| one.suspended(true)).await;
    cluster.until("sample", Phase::Suspended).await;
    cluster.until_job("sample-0", |job| is_suspended(job) && !is_active(job)).await;
    cluster.change("sample", |one| one.suspended(false)).await;
    let after = cluster.until_job("sample-0", is_active).await;
    assert_eq!(before.uid(), after.uid());
    if cluster.finish("sample-0", 0) {
        cluster.until_is("sample", |one| is_over(one, Phase::Succeeded)).await;
    }
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_suspended_from_the_start_starts_nothing_until_it_is_continued() {
    let cluster = Cluster::start().await;
    let _controller = cluster.controller().await;
    cluster.create(&sequence("sample", &[OK, OK]).suspended(true)).await;
    cluster.until("sample", Phase::Suspended).await;
    assert!(cluster.jobs().list(&ListParams::default()).await.unwrap().items.is_empty());
    cluster.change("sample", |one| one.suspended(false)).await;
    cluster.until_is("sample", |one| is_over(one, Phase::Succeeded)).await;
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_running_step_stops_it_first_and_runs_it_again() {
    let cluster = Cluster::start().await;
    let _controller = cluster.controller().await;
    cluster.create(&sequence("sample", &[OK, HANG, OK])).await;
    cluster.until_is("sample", is_running(1)).await;
    cluster.change("sample", |one| one.with_step(1, OK)).await;
    cluster.until_is("sample", |one| is_over(one, Phase::Succeeded)).await;
    cluster.check(&[("sample-1", 2)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_step_that_is_done_runs_all_from_it_on_again() {
    let cluster = Cluster::start().await;
    let _controller = cluster.controller().await;
    cluster.create(&sequence("sample", &[OK, OK, HANG])).await;
    cluster.until_is("sample", is_running(2)).await;
    cluster.change("sample", |one| one.with_step(1, &["--exit", "0"]).with_step(2, OK)).await;
    cluster.until_is("sample", |one| is_over(one, Phase::Succeeded)).await;
    cluster.check(&[("sample-1", 2), ("sample-2", 2)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_step_to_come_disturbs_nothing() {
    let Some(cluster) = Cluster::only_fake("end a step that hangs").await else { return };
    let _controller = cluster.controller().await;
    cluster.create(&sequence("sample", &[HANG, FAIL])).await;
    cluster.until_is("sample", is_running(0)).await;
    cluster.change("sample", |one| one.with_step(1, OK)).await;
    let has_seen_it = |one: &SequentialJob| {
        one.status.as_ref().and_then(|status| status.observed_generation) == one.metadata.generation
    };
    cluster.until_is("sample", |one| has_seen_it(one) && is_running(0)(one)).await;
    cluster.finish("sample-0", 0);
    cluster.until_is("sample", |one| is_over(one, Phase::Succeeded)).await;
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_after_the_end_runs_what_changed_and_what_follows() {
    let cluster = Cluster::start().await;
    let _controller = cluster.controller().await;
    cluster.create(&sequence("sample", &[OK, OK, OK])).await;
    cluster.until_is("sample", |one| is_over(one, Phase::Succeeded)).await;
    cluster.change("sample", |one| one.with_step(1, &["--exit", "0"])).await;
    cluster.until_is("sample", |one| is_over(one, Phase::Succeeded) && attempts(one) == 5).await;
    cluster.check(&[("sample-1", 2), ("sample-2", 2)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_while_suspended_replaces_the_step_once_it_continues() {
    let cluster = Cluster::start().await;
    let _controller = cluster.controller().await;
    cluster.create(&sequence("sample", &[HANG, OK])).await;
    cluster.until_is("sample", is_running(0)).await;
    cluster.change("sample", |one| one.suspended(true)).await;
    cluster.until("sample", Phase::Suspended).await;
    cluster.change("sample", |one| one.with_step(0, OK)).await;
    cluster.change("sample", |one| one.suspended(false)).await;
    cluster.until_is("sample", |one| is_over(one, Phase::Succeeded)).await;
    cluster.check(&[("sample-0", 2)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_job_that_is_deleted_by_hand_runs_again_and_the_sequence_says_so() {
    let cluster = Cluster::start().await;
    let _controller = cluster.controller().await;
    cluster.create(&sequence("sample", &[OK, HANG])).await;
    cluster.until_is("sample", is_running(1)).await;
    cluster.delete_job("sample-1").await;
    let again = cluster.until_is("sample", |one| attempts(one) == 3 && is_running(1)(one)).await;
    let progressing =
        again.status.unwrap().conditions.into_iter().find(|one| one.type_ == "Progressing").unwrap();
    assert!(progressing.message.contains("Job 1 was deleted"), "{}", progressing.message);
    assert!(cluster.events("sample").await.iter().any(|(reason, _)| reason == "JobDeleted"));
    cluster.check(&[("sample-1", 2)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_deleted_by_hand_runs_again_only_once_its_pods_have_ended() {
    let Some(cluster) = Cluster::only_fake("keep a pod from ending").await else { return };
    let _controller = cluster.controller().await;
    cluster.create(&sequence("sample", &[HANG, OK])).await;
    cluster.until_is("sample", is_running(0)).await;
    cluster.as_fake().hold_pods(true);
    cluster.delete_job("sample-0").await;
    cluster.until_is("sample", |one| is_told(one, "Waiting for the pods of job 0")).await;
    cluster.as_fake().hold_pods(false);
    cluster.until_is("sample", |one| attempts(one) == 2 && is_running(0)(one)).await;
    cluster.finish("sample-0", 0);
    cluster.until_is("sample", |one| is_over(one, Phase::Succeeded)).await;
    cluster.check(&[("sample-0", 2)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_somebody_else_is_left_alone_until_it_goes() {
    let cluster = Cluster::start().await;
    let _controller = cluster.controller().await;
    let other = cluster.jobs().create(&PostParams::default(), &job("sample-0", "a")).await.unwrap();
    cluster.create(&sequence("sample", &[OK])).await;
    let waits = |one: &SequentialJob| is_told(one, "`sample-0`, which belongs to somebody else");
    cluster.until_is("sample", waits).await;
    assert_eq!(cluster.jobs().get("sample-0").await.unwrap().uid(), other.uid());
    cluster.delete_job("sample-0").await;
    cluster.until_is("sample", |one| is_over(one, Phase::Succeeded)).await;
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_job_that_is_deleted_by_hand_does_not_run_again() {
    let cluster = Cluster::start().await;
    let _controller = cluster.controller().await;
    cluster.create(&sequence("sample", &[OK, OK, HANG])).await;
    cluster.until_is("sample", is_running(2)).await;
    cluster.delete_job("sample-0").await;
    cluster.change("sample", |one| one.with_step(2, OK)).await;
    cluster.until_is("sample", |one| is_over(one, Phase::Succeeded)).await;
    cluster.check(&[("sample-2", 2)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_starts_only_once_the_pods_of_what_ran_before_have_ended() {
    let Some(cluster) = Cluster::only_fake("keep a pod from ending").await else { return };
    let _controller = cluster.controller().await;
    cluster.create(&sequence("sample", &[OK, HANG])).await;
    cluster.until_is("sample", is_running(1)).await;
    let before = cluster.jobs().get("sample-1").await.unwrap().uid();
    cluster.as_fake().hold_pods(true);
    cluster.change("sample", |one| one.with_step(1, OK)).await;
    let is_stopped = |job: &Job| job.metadata.deletion_timestamp.is_some() || job.uid() != before;
    cluster.until_job_is("sample-1", |job| job.is_none_or(is_stopped)).await;
    // What is looked at later has been, so that a step that does not wait would have started.
    cluster.create(&sequence("later", &[HANG])).await;
    cluster.until_is("later", is_running(0)).await;
    cluster.as_fake().hold_pods(false);
    cluster.until_is("sample", |one| is_over(one, Phase::Succeeded)).await;
    cluster.check(&[("sample-1", 2)]).await;
}
