//! Sequences and Jobs: small adjectives build each case.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::jiff::Timestamp;
use sequential_job::jobs::{ATTEMPT_ANNOTATION, WatchedJob, observe};
use sequential_job::plan::{Observation, hash, plan};
use sequential_job::resource::{FINALIZER, SequentialJob, StepPhase, StepStatus};
use serde_json::{Value, json};

/// A sequence named `sample`.
#[derive(Clone)]
pub(crate) struct Sequence(pub(crate) SequentialJob);

impl Sequence {
    /// Of so many steps.
    pub(crate) fn of(steps: usize) -> Self {
        let containers: Vec<Value> =
            (0..steps).map(|index| json!({"name": format!("c{index}"), "image": "i"})).collect();
        let sequence = json!({
            "apiVersion": "batch.example.com/v1alpha1", "kind": "SequentialJob",
            "metadata": {"name": "sample", "namespace": "default", "uid": "u", "generation": 1, "resourceVersion": "0"},
            "spec": {"containers": containers},
        });
        Self(serde_json::from_value(sequence).unwrap())
    }

    pub(crate) fn version(mut self, version: u32) -> Self {
        self.0.metadata.resource_version = Some(version.to_string());
        self
    }

    pub(crate) fn image(mut self, image: &str) -> Self {
        self.0.spec.containers[0].image = Some(image.to_owned());
        self
    }

    pub(crate) fn finalized(mut self) -> Self {
        self.0.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        self
    }

    pub(crate) fn deleted(mut self) -> Self {
        let at = "2024-01-15T10:00:00Z".parse().unwrap();
        self.0.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at));
        self
    }

    fn step(mut self, index: usize, attempt: i64, phase: StepPhase, uid: Option<String>) -> Self {
        let spec = self.0.spec.clone();
        let status = self.0.status.get_or_insert_default();
        status.attempts = status.attempts.max(attempt);
        status.steps.resize_with(spec.containers.len(), StepStatus::default);
        for (step, container) in status.steps.iter_mut().zip(&spec.containers) {
            step.name.clone_from(&container.name);
        }
        status.steps[index] = StepStatus {
            job: format!("sample-{index}"),
            phase,
            attempt: Some(attempt),
            job_uid: uid,
            spec_hash: Some(hash::of_step(&spec, index)),
            ..status.steps[index].clone()
        };
        self
    }

    /// About to make this Job.
    pub(crate) fn intends(self, index: usize, attempt: i64) -> Self {
        self.step(index, attempt, StepPhase::Pending, None)
    }

    pub(crate) fn runs(self, index: usize, attempt: i64) -> Self {
        self.step(index, attempt, StepPhase::Running, Some(format!("job-{index}-{attempt}")))
    }

    pub(crate) fn did(self, index: usize, attempt: i64) -> Self {
        self.step(index, attempt, StepPhase::Succeeded, Some(format!("job-{index}-{attempt}")))
    }

    /// With the status that it has once all is written that there is to write.
    pub(crate) fn settled(mut self, jobs: &[Made]) -> Self {
        for round in 0..3 {
            // The intent comes before the Job.
            let jobs = if round == 0 { &[] } else { jobs };
            let observed =
                jobs.iter().enumerate().map(|(index, job)| (index, observe(&job.watched(), "u"))).collect();
            let observed = Observation { jobs: observed, ..Observation::default() };
            self.0.status = Some(plan(&self.0, &observed, Timestamp::now()).status);
        }
        self
    }

    /// With its first intent written, and nothing done yet.
    pub(crate) fn settled_intent(self) -> Self {
        self.settled(&[])
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap()
    }
}

/// A Job as the API server has it.
#[derive(Clone)]
pub(crate) struct Made(pub(crate) Job);

/// The Job of a step, as it was made for an attempt.
pub(crate) fn job(index: usize, attempt: i64) -> Made {
    let owner = json!({
        "apiVersion": "batch.example.com/v1alpha1", "kind": "SequentialJob", "name": "sample", "uid": "u",
        "controller": true,
    });
    let metadata = json!({
        "name": format!("sample-{index}"), "namespace": "default", "uid": format!("job-{index}-{attempt}"),
        "ownerReferences": [owner],
    });
    let template = json!({"metadata": {"annotations": {ATTEMPT_ANNOTATION: attempt.to_string()}}});
    let spec = json!({"template": template, "suspend": false});
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec,
        "status": {"startTime": "2024-01-15T10:00:00Z"},
    });
    Made(serde_json::from_value(job).unwrap())
}

impl Made {
    /// As a watch has it.
    pub(crate) fn watched(&self) -> WatchedJob {
        serde_json::from_value(self.json()).unwrap()
    }

    pub(crate) fn completed(mut self) -> Self {
        let condition = json!([{"type": "Complete", "status": "True"}]);
        let status = self.0.status.as_mut().unwrap();
        status.conditions = Some(serde_json::from_value(condition).unwrap());
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap()
    }
}
