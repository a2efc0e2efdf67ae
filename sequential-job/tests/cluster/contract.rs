//! What the scenarios take for granted of an API server, so that the fake and the real one are told to agree.

use k8s_openapi::api::batch::v1::Job;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::history::Happened;
use crate::sequences::{Adjectives, OK, sequence};

fn applied() -> PatchParams {
    PatchParams::apply("a-manager").force()
}

fn code<T: std::fmt::Debug>(result: kube::Result<T>) -> u16 {
    match result {
        Err(kube::Error::Api(status)) => status.code,
        other => panic!("it was not refused: {other:?}"),
    }
}

/// A Job that starts no pod.
pub(crate) fn job(name: &str, image: &str) -> Job {
    let template =
        json!({"spec": {"containers": [{"name": "one", "image": image}], "restartPolicy": "Never"}});
    serde_json::from_value(json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"suspend": true, "template": template},
    }))
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_names_an_old_version_is_refused() {
    let Some(cluster) = Cluster::unattended().await else { return };
    let first = cluster.create(&sequence("sample", &[OK])).await;
    let (api, parameters) = (cluster.sequences(), PostParams::default());
    let second = api.replace("sample", &parameters, &first.clone().retried("1")).await.unwrap();
    assert_ne!(first.resource_version(), second.resource_version());
    assert_eq!(code(api.replace("sample", &parameters, &first.clone().retried("2")).await), 409);
    assert_eq!(code(api.create(&parameters, &sequence("sample", &[OK])).await), 409);
    let version = first.resource_version();
    let merge = json!({"metadata": {"resourceVersion": version, "labels": {"a": "b"}}});
    let merged = api.patch("sample", &PatchParams::default(), &Patch::Merge(merge)).await;
    assert_eq!(code(merged), 409);
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_subresource_writes_the_status_and_only_a_spec_counts_as_another_generation() {
    let Some(cluster) = Cluster::unattended().await else { return };
    let api = cluster.sequences();
    let first = cluster.create(&sequence("sample", &[OK])).await;
    let mut status = json!({
        "apiVersion": "batch.example.com/v1alpha1", "kind": "SequentialJob",
        "metadata": {"name": "sample", "uid": first.uid(), "resourceVersion": first.resource_version()},
        "status": {"phase": "Running", "step": "1/1", "attempts": 1, "observedRetry": "x"},
    });
    let written = api.patch_status("sample", &applied(), &Patch::Apply(&status)).await.unwrap();
    assert_eq!(written.metadata.generation, first.metadata.generation);
    assert_eq!(written.status.as_ref().unwrap().observed_retry.as_deref(), Some("x"));
    // An old version is refused, also where nothing would change. It alone tells of another object: the uid is not looked at.
    assert_eq!(code(api.patch_status("sample", &applied(), &Patch::Apply(&status)).await), 409);
    status["status"]["step"] = json!("0/1");
    assert_eq!(code(api.patch_status("sample", &applied(), &Patch::Apply(&status)).await), 409);
    status["metadata"] = json!({"name": "sample", "uid": "00000000-0000-4000-8000-00000000ffff"});
    let other = api.patch_status("sample", &applied(), &Patch::Apply(&status)).await.unwrap();
    assert_eq!(other.uid(), first.uid());
    // What is not applied any more goes.
    status["metadata"] = json!({"name": "sample"});
    status["status"].as_object_mut().unwrap().remove("observedRetry");
    let less = api.patch_status("sample", &applied(), &Patch::Apply(&status)).await.unwrap();
    assert_eq!(less.status.as_ref().unwrap().observed_retry, None);
    cluster.change("sample", |one| one.retried("1").with_status_step("9/9")).await;
    let touched = api.get("sample").await.unwrap();
    assert_eq!((touched.metadata.generation, &touched.status), (first.metadata.generation, &less.status));
    cluster.change("sample", |one| one.suspended(true)).await;
    assert_eq!(
        api.get("sample").await.unwrap().metadata.generation,
        first.metadata.generation.map(|one| one + 1)
    );
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_applied_job_is_made_once_and_its_template_cannot_change() {
    let cluster = Cluster::start().await;
    let jobs = cluster.jobs();
    let made = jobs.patch("one", &applied(), &Patch::Apply(job("one", "a"))).await.unwrap();
    let same = jobs.patch("one", &applied(), &Patch::Apply(job("one", "a"))).await.unwrap();
    assert_eq!((made.uid(), made.metadata.generation), (same.uid(), same.metadata.generation));
    assert_eq!(code(jobs.patch("one", &applied(), &Patch::Apply(job("one", "b"))).await), 422);
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_job_that_is_meant_is_deleted_and_in_the_foreground_it_goes_after_its_pods() {
    let cluster = Cluster::start().await;
    let jobs = cluster.jobs();
    let mut runs = job("one", "a");
    runs.spec.as_mut().unwrap().suspend = Some(false);
    runs.spec.as_mut().unwrap().template.spec.as_mut().unwrap().containers[0].args =
        Some(vec!["--hang".to_owned()]);
    let made = jobs.create(&PostParams::default(), &runs).await.unwrap();
    cluster.until_job("one", |job| job.status.as_ref().and_then(|status| status.active) == Some(1)).await;
    let meant = |uid: Option<String>| {
        DeleteParams::foreground().preconditions(Preconditions { uid, resource_version: None })
    };
    let another = Some("00000000-0000-4000-8000-00000000ffff".to_owned());
    assert_eq!(code(jobs.delete("one", &meant(another)).await), 409);
    jobs.delete("one", &meant(made.uid())).await.unwrap();
    cluster.until_job_gone("one").await;
    let history = cluster.history().await;
    let mut steps = history.iter().filter(|change| change.plural == "jobs");
    let waits = |object: &Value| !object["metadata"]["deletionTimestamp"].is_null();
    assert!(steps.clone().any(|change| change.happened == Happened::Modified && waits(&change.object)));
    assert_eq!(steps.next_back().unwrap().happened, Happened::Deleted);
    assert_eq!(code(jobs.get("one").await), 404);
    cluster.check(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_an_object_goes_with_it_and_a_finalizer_holds_it_back() {
    let cluster = Cluster::start().await;
    let mut held = sequence("sample", &[OK]);
    held.finalizers_mut().push("batch.example.com/jobs".to_owned());
    let owner = cluster.create(&held).await;
    let mut owned = job("one", "a");
    owned.metadata.owner_references = owner.controller_owner_ref(&()).map(|owner| vec![owner]);
    cluster.jobs().create(&PostParams::default(), &owned).await.unwrap();
    cluster.delete("sample").await;
    cluster.until_is("sample", |one| one.metadata.deletion_timestamp.is_some()).await;
    let free = json!({"metadata": {"finalizers": []}});
    cluster.sequences().patch("sample", &PatchParams::default(), &Patch::Merge(free)).await.unwrap();
    cluster.until_gone("sample").await;
    cluster.until_job_gone("one").await;
    cluster.check(&[]).await;
}
