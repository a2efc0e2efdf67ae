//! The resource `SequentialJob`, `batch.example.com/v1alpha1`.

#![allow(dead_code, unreachable_pub, reason = "the schema's derive repeats the spec within a function")]

mod read;

use k8s_openapi::api::core::v1::{Container, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, CustomResourceExt, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// A change of this annotation runs a failed sequence again from its failed step.
pub const RETRY_ANNOTATION: &str = "batch.example.com/retry";

/// Stands as long as a Job may run: the resource goes after its Jobs.
pub const FINALIZER: &str = "batch.example.com/jobs";

/// The most containers that a sequence may have.
pub const MAX_CONTAINERS: usize = 64;

/// The longest `metadata.name`: it is a label's value.
pub const MAX_NAME: usize = 63;

/// How often a step's pod is tried again where `backoffLimit` is not given, as for a Job.
pub const DEFAULT_BACKOFF_LIMIT: i32 = 6;

/// What is to run.
#[derive(CustomResource, KubeSchema, Serialize, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "batch.example.com",
    version = "v1alpha1",
    kind = "SequentialJob",
    plural = "sequentialjobs",
    namespaced,
    shortname = "seqjob",
    status = "SequentialJobStatus",
    derive = "PartialEq",
    label("app.kubernetes.io/name", "sequential-job"),
    label("app.kubernetes.io/part-of", "k8s-pipe"),
    doc = "Containers that run as Jobs one after another, each to completion before the next starts.",
    printcolumn(name = "Status", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Step", type_ = "string", json_path = ".status.step"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.size() <= 63").message("metadata.name must be no longer than 63 characters"),
)]
#[serde(rename_all = "camelCase")]
pub struct SequentialJobSpec {
    /// The steps: each container runs as a Job of its own, once the one before has completed.
    #[schemars(schema_with = "schema::containers")]
    pub containers: Vec<Container>,

    /// What the pods of all steps share; its own `containers` stay empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::template")]
    pub template: Option<PodTemplateSpec>,

    /// How often a step's pod is tried again before the step counts as failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub backoff_limit: Option<i32>,

    /// How long the whole sequence may take, in seconds from its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub active_deadline_seconds: Option<i64>,

    /// How long after its end the resource is deleted with its Jobs; never, where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub ttl_seconds_after_finished: Option<i32>,

    /// Pauses the sequence: the pods of the running step end, and no further step starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,

    /// Settings of single steps, by their container's name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub steps: Vec<StepSettings>,

    /// Fields that came past the schema and cannot be read, and why.
    #[serde(skip)]
    pub unreadable: Vec<(String, String)>,
}

/// Settings of a step.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct StepSettings {
    /// The name of the container that they are for.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,

    /// How many pods of the step may run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub parallelism: Option<i32>,

    /// How many pods of the step have to succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub completions: Option<i32>,
}

/// How far it has come.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SequentialJobStatus {
    /// Pending, Running, Succeeded, Failed or Suspended.
    #[serde(default)]
    pub phase: Phase,

    /// The present step among all, such as `2/3`.
    #[serde(default)]
    pub step: String,

    /// `Available`, `Progressing` and `Failed`.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,

    /// How many Jobs are in which state.
    #[serde(default)]
    pub state: JobCounts,

    /// Which steps are done, and which one is next.
    #[serde(default)]
    pub progress: Progress,

    /// A record a step.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub steps: Vec<StepStatus>,

    /// How many Jobs were started in all; the number of the latest.
    #[serde(default)]
    pub attempts: i64,

    /// When the first step started, or the one it was resumed at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,

    /// When it ended, whether it succeeded or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,

    /// The `metadata.generation` that this status is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The retry annotation's value that was last obeyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_retry: Option<String>,
}

/// What `kubectl get` shows as STATUS.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// No step has been started.
    #[default]
    Pending,
    /// A step runs or is about to.
    Running,
    /// All steps are done.
    Succeeded,
    /// A step failed, or the spec cannot run.
    Failed,
    /// Paused by `spec.suspend`.
    Suspended,
}

impl Phase {
    /// All, in the order of a sequence's life.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Suspended, Self::Succeeded, Self::Failed];

    /// Its name as it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Suspended => "Suspended",
        }
    }
}

/// How many Jobs are in which state.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
pub struct JobCounts {
    /// Those that run: one at most.
    #[serde(default)]
    pub active: i32,
    /// Those that are complete.
    #[serde(default)]
    pub succeeded: i32,
    /// Those that failed: one at most.
    #[serde(default)]
    pub failed: i32,
}

/// Which steps are done, and which one is next.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The step that runs or is about to; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_index: Option<i32>,
    /// The steps that are done.
    #[serde(default)]
    pub completed_indices: Vec<i32>,
    /// The step that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_index: Option<i32>,
    /// Why it failed, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
}

/// What is known of a step.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct StepStatus {
    /// Its container's name.
    pub name: String,
    /// Its Job's name.
    #[serde(default)]
    pub job: String,
    /// Pending, Running, Succeeded or Failed.
    #[serde(default)]
    pub phase: StepPhase,
    /// When its Job started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When its Job ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Time>,
    /// The exit code of the pod that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The end of that pod's termination message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination_message: Option<String>,
    /// Why it failed, or cannot be started now, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What happened to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The number of the Job that counts, among all that the sequence started; none before it is to be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i64>,
    /// That Job's uid, once it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_uid: Option<String>,
    /// What that Job was made of: a change of the spec is told by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec_hash: Option<String>,
}

/// A step's state.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StepPhase {
    /// Its Job was not seen yet.
    #[default]
    Pending,
    /// Its Job was seen, and has no outcome.
    Running,
    /// Its Job is complete.
    Succeeded,
    /// Its Job failed, or was ended.
    Failed,
}

impl SequentialJobSpec {
    /// The settings of a step, by its container's name.
    pub fn settings_of(&self, name: &str) -> Option<&StepSettings> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// Whether it is paused.
    pub fn is_suspended(&self) -> bool {
        self.suspend.unwrap_or(false)
    }
}

/// The custom resource definition, as it is installed.
///
/// # Errors
/// None that is known: what cannot be written as YAML.
pub fn crd_yaml() -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(&SequentialJob::crd())
}
