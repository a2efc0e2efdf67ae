use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use serde::Deserialize;

/// What is read of a Job: a cache of thousands has nothing else of them.
#[derive(Resource, Deserialize, Debug, Clone)]
#[resource(inherit = "Job")]
pub struct WatchedJob {
    /// Its name, its uid, its owner.
    pub metadata: ObjectMeta,
    /// Whether it is paused, and the attempt that it was made for.
    #[serde(default)]
    pub(super) spec: Spec,
    /// How far it is.
    #[serde(default)]
    pub(super) status: Status,
}

#[derive(Deserialize, Debug, Clone, Default)]
pub(super) struct Spec {
    pub(super) suspend: Option<bool>,
    #[serde(default)]
    template: Template,
}

#[derive(Deserialize, Debug, Clone, Default)]
struct Template {
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize, Debug, Clone, Default)]
struct Metadata {
    #[serde(default)]
    annotations: Annotations,
}

#[derive(Deserialize, Debug, Clone, Default)]
struct Annotations {
    #[serde(rename = "batch.example.com/attempt")]
    attempt: Option<Box<str>>,
}

#[derive(Deserialize, Debug, Clone, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    pub(super) start_time: Option<Time>,
    pub(super) completion_time: Option<Time>,
    pub(super) conditions: Option<Vec<JobCondition>>,
}

impl WatchedJob {
    /// The attempt that it was made for; none where somebody else made it.
    pub(super) fn attempt(&self) -> Option<i64> {
        self.spec.template.metadata.annotations.attempt.as_ref()?.parse().ok()
    }

    /// Forgets what nobody reads.
    pub fn shrink(&mut self) {
        let all = std::mem::take(&mut self.metadata);
        self.metadata = ObjectMeta {
            name: all.name,
            namespace: all.namespace,
            uid: all.uid,
            resource_version: all.resource_version,
            deletion_timestamp: all.deletion_timestamp,
            owner_references: all.owner_references,
            ..ObjectMeta::default()
        };
    }
}
