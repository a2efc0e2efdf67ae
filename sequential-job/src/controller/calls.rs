use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;

use crate::jobs::WatchedJob;
use crate::plan;
use crate::resource::{FINALIZER, SequentialJob, SequentialJobStatus};

/// Who the controller is to the API server: its field manager, and the source of events.
pub const MANAGER: &str = "sequentialjob-controller";

/// The most pods of a Job that are read at once.
const MAX_PODS: u32 = 100;

/// The longest note that an event may have, in bytes.
const MAX_NOTE: usize = 1024;

/// Why a pass over a sequence ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call failed, or was refused.
    #[error("failed to {act}")]
    Call {
        /// What was to be done.
        act: &'static str,
        /// Why it was not.
        source: kube::Error,
    },
    /// The resource is another than the one that was decided on.
    #[error("the resource has changed meanwhile")]
    Stale,
}

impl Error {
    /// Whether all that is wrong is that somebody else was faster.
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::Stale => true,
            Self::Call { source, .. } => is(source, kube::core::Status::is_conflict),
        }
    }
}

fn is(error: &kube::Error, what: impl Fn(&kube::core::Status) -> bool) -> bool {
    matches!(error, kube::Error::Api(status) if what(status))
}

fn to(act: &'static str) -> impl FnOnce(kube::Error) -> Error {
    move |source| Error::Call { act, source }
}

/// What became of a Job that was applied.
pub(super) enum Applied {
    /// It is there, or another of its name that cannot become it.
    There(Box<WatchedJob>),
    /// The API server takes no such Job: says why.
    Refused(String),
    /// It takes none now, such as where a quota is used up: says why.
    Forbidden(String),
}

/// The calls for one sequence.
pub(super) struct Calls {
    sequences: Api<SequentialJob>,
    jobs: Api<WatchedJob>,
    pods: Api<Pod>,
    name: String,
}

impl Calls {
    pub(super) fn new(client: &Client, sequence: &SequentialJob) -> Self {
        let namespace = sequence.namespace().unwrap_or_default();
        Self {
            sequences: Api::namespaced(client.clone(), &namespace),
            jobs: Api::namespaced(client.clone(), &namespace),
            pods: Api::namespaced(client.clone(), &namespace),
            name: sequence.name_any(),
        }
    }

    /// Writes the status, unless the resource is another than `sequence` by now.
    pub(super) async fn write_status(
        &self,
        sequence: &SequentialJob,
        status: &SequentialJobStatus,
    ) -> Result<SequentialJob, Error> {
        let patch = json!({
            "apiVersion": SequentialJob::api_version(&()),
            "kind": SequentialJob::kind(&()),
            "metadata": {"name": self.name, "uid": sequence.uid(), "resourceVersion": sequence.resource_version()},
            "status": status,
        });
        let parameters = PatchParams::apply(MANAGER).force();
        let written = self.sequences.patch_status(&self.name, &parameters, &Patch::Apply(patch)).await;
        written.map_err(to("write the status"))
    }

    /// Sets or takes away the finalizer, unless the resource is another than `sequence` by now.
    pub(super) async fn set_finalizer(
        &self,
        sequence: &SequentialJob,
        is_wanted: bool,
    ) -> Result<SequentialJob, Error> {
        let mut finalizers = sequence.finalizers().to_vec();
        finalizers.retain(|one| one != FINALIZER);
        if is_wanted {
            finalizers.push(FINALIZER.to_owned());
        }
        let version = sequence.resource_version();
        let patch = json!({"metadata": {"resourceVersion": version, "finalizers": finalizers}});
        let patched = self.sequences.patch(&self.name, &PatchParams::default(), &Patch::Merge(patch)).await;
        patched.map_err(to("set the finalizer"))
    }

    /// Makes sure that the resource is still `sequence`.
    pub(super) async fn verify(&self, sequence: &SequentialJob) -> Result<(), Error> {
        let now = self.sequences.get_opt(&self.name).await.map_err(to("read the resource"))?;
        let is_same = now.is_some_and(|now| {
            now.uid() == sequence.uid() && now.resource_version() == sequence.resource_version()
        });
        if is_same { Ok(()) } else { Err(Error::Stale) }
    }

    /// Makes a Job, or pauses or continues it.
    pub(super) async fn apply(&self, job: &Job) -> Result<Applied, Error> {
        let name = job.name_any();
        match self.jobs.patch(&name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(job)).await {
            Ok(job) => Ok(Applied::There(Box::new(job))),
            // Either there is another of this name, whose template is not this one's, or no such Job can be.
            Err(kube::Error::Api(status)) if status.is_invalid() => {
                let there = self.read(&name).await?;
                Ok(there
                    .map_or(Applied::Refused(status.message.clone()), |job| Applied::There(Box::new(job))))
            }
            Err(kube::Error::Api(status)) if status.is_forbidden() => {
                Ok(Applied::Forbidden(status.message.clone()))
            }
            Err(error) => Err(to("apply a job")(error)),
        }
    }

    /// Reads a Job past the cache.
    pub(super) async fn read(&self, name: &str) -> Result<Option<WatchedJob>, Error> {
        self.jobs.get_opt(name).await.map_err(to("read a job"))
    }

    /// Deletes the Job of this uid, with its pods; it is there until they are gone.
    pub(super) async fn delete(&self, name: &str, uid: String) -> Result<(), Error> {
        let parameters = DeleteParams::foreground()
            .preconditions(Preconditions { uid: Some(uid), resource_version: None });
        match self.jobs.delete(name, &parameters).await {
            Ok(_) => Ok(()),
            Err(error) if is(&error, kube::core::Status::is_not_found) => Ok(()),
            Err(error) => Err(to("delete a job")(error)),
        }
    }

    /// Deletes the resource, unless it is another than `sequence` by now.
    pub(super) async fn delete_sequence(&self, sequence: &SequentialJob) -> Result<(), Error> {
        let parameters = DeleteParams::background().preconditions(Preconditions {
            uid: sequence.uid(),
            resource_version: sequence.resource_version(),
        });
        match self.sequences.delete(&self.name, &parameters).await {
            Ok(_) => Ok(()),
            Err(error) if is(&error, kube::core::Status::is_not_found) => Ok(()),
            Err(error) => Err(to("delete the resource, whose time to live is over")(error)),
        }
    }

    /// Pods of the Job of this uid: all of most, and as many as there is room for of one that has thousands.
    pub(super) async fn pods(&self, job: &str) -> Result<Vec<Pod>, Error> {
        let selector = format!("batch.kubernetes.io/controller-uid={job}");
        let parameters = ListParams::default().labels(&selector).limit(MAX_PODS);
        self.pods.list(&parameters).await.map(|pods| pods.items).map_err(to("list a job's pods"))
    }
}

/// An event as it is reported. `job` tells those of several steps apart, which would be counted as one else.
pub(super) fn event(event: plan::Event, job: Option<ObjectReference>) -> Event {
    Event {
        type_: if event.is_warning { EventType::Warning } else { EventType::Normal },
        reason: event.reason.to_owned(),
        note: Some(plan::head(event.note, MAX_NOTE)),
        action: "Reconciling".to_owned(),
        secondary: job,
    }
}
