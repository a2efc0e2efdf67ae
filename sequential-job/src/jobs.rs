//! A step to its Job, and a Job to what the plan observes.

mod watched;

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{Pod, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use k8s_openapi::jiff::Timestamp;
use kube::{Resource, ResourceExt};

pub use crate::jobs::watched::WatchedJob;
use crate::plan::{Failure, ObservedJob, Outcome, hash};
use crate::resource::{DEFAULT_BACKOFF_LIMIT, MAX_NAME, SequentialJob, SequentialJobSpec};

/// On Jobs and their pods: the name of the sequence.
pub const SEQUENCE_LABEL: &str = "batch.example.com/sequential-job";

/// On Jobs and their pods: the index of the step.
pub const INDEX_LABEL: &str = "batch.example.com/step-index";

/// In a Job's pod template, which nobody can change: which attempt of the sequence it is.
pub const ATTEMPT_ANNOTATION: &str = "batch.example.com/attempt";

/// The last of a termination message that is kept, in characters.
const MESSAGE_TAIL: usize = 1024;

/// The name of the Job of a step; a long one is shortened, with a hash, to what a label can hold.
pub fn job_name(sequence: &str, index: usize) -> String {
    let suffix = format!("-{index}");
    if sequence.len() + suffix.len() <= MAX_NAME {
        return format!("{sequence}{suffix}");
    }
    let suffix = format!("-{}{suffix}", hash::of_name(sequence));
    let kept = sequence.get(..MAX_NAME - suffix.len()).unwrap_or_default();
    format!("{}{suffix}", kept.trim_end_matches(['-', '.']))
}

/// What the pods of all steps share, with what is not said filled in.
pub fn shared_template(spec: &SequentialJobSpec) -> PodTemplateSpec {
    let mut template = spec.template.clone().unwrap_or_default();
    let pod = template.spec.get_or_insert_with(PodSpec::default);
    pod.restart_policy.get_or_insert_with(|| "Never".to_owned());
    template
}

/// How often a step's pod is tried again.
pub fn backoff_limit(spec: &SequentialJobSpec) -> i32 {
    spec.backoff_limit.unwrap_or(DEFAULT_BACKOFF_LIMIT)
}

/// The Job of a step, as it is applied.
pub fn job(sequence: &SequentialJob, index: usize, attempt: i64, suspend: bool) -> Job {
    let (spec, name) = (&sequence.spec, sequence.name_any());
    let container = &spec.containers[index];
    let settings = spec.settings_of(&container.name);
    let labels = BTreeMap::from([
        (SEQUENCE_LABEL.to_owned(), name.clone()),
        (INDEX_LABEL.to_owned(), index.to_string()),
    ]);
    let mut template = shared_template(spec);
    let metadata = template.metadata.get_or_insert_with(ObjectMeta::default);
    metadata.labels.get_or_insert_default().extend(labels.clone());
    let annotations = metadata.annotations.get_or_insert_default();
    annotations.insert(ATTEMPT_ANNOTATION.to_owned(), attempt.to_string());
    let mut container = container.clone();
    // Else most programs would leave no message: they know no `/dev/termination-log`.
    container.termination_message_policy.get_or_insert_with(|| "FallbackToLogsOnError".to_owned());
    template.spec.get_or_insert_default().containers = vec![container];
    let settings = settings.cloned().unwrap_or_default();
    Job {
        metadata: ObjectMeta {
            name: Some(job_name(&name, index)),
            namespace: sequence.namespace(),
            labels: Some(labels),
            owner_references: sequence
                .controller_owner_ref(&())
                .map(|owner| vec![OwnerReference { block_owner_deletion: Some(true), ..owner }]),
            ..ObjectMeta::default()
        },
        spec: Some(JobSpec {
            backoff_limit: Some(backoff_limit(spec)),
            completions: settings.completions,
            parallelism: settings.parallelism,
            // No pod takes another's place while that one still runs.
            pod_replacement_policy: Some("Failed".to_owned()),
            suspend: Some(suspend),
            template,
            ..JobSpec::default()
        }),
        status: None,
    }
}

/// What the plan sees of a Job, but for the exit code and the termination message, which only its pods know.
pub fn observe(job: &WatchedJob, owner: &str) -> ObservedJob {
    let is_ours = job.owner_references().iter().any(|one| one.uid == owner && one.controller == Some(true));
    ObservedJob {
        uid: job.uid().unwrap_or_default(),
        is_ours,
        attempt: job.attempt(),
        is_suspended: job.spec.suspend.unwrap_or(false),
        is_deleting: job.metadata.deletion_timestamp.is_some(),
        start_time: job.status.start_time.as_ref().map(|time| time.0),
        outcome: outcome(job),
    }
}

fn outcome(job: &WatchedJob) -> Option<Outcome> {
    let status = &job.status;
    let ends = |type_: &str| {
        let mut conditions = status.conditions.iter().flatten();
        conditions.find(|condition| condition.type_ == type_ && condition.status == "True")
    };
    let (condition, has_failed) =
        ends("Complete").map(|end| (end, false)).or_else(|| ends("Failed").map(|end| (end, true)))?;
    let at = status.completion_time.as_ref().or(condition.last_transition_time.as_ref());
    let failure = has_failed.then(|| Failure {
        reason: condition.reason.clone().unwrap_or_else(|| "JobFailed".to_owned()),
        message: condition.message.clone().unwrap_or_else(|| "its Job says no more".to_owned()),
    });
    Some(Outcome {
        at: at.map_or(Timestamp::UNIX_EPOCH, |time| time.0),
        failure,
        exit_code: None,
        termination_message: None,
    })
}

/// Whether a pod's containers run, or may.
pub fn may_run(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    !["Succeeded", "Failed"].contains(&phase.unwrap_or_default())
}

/// Adds what the pods of a Job that ended know: of a failed one the last that failed, else the last one.
pub fn explain(outcome: &mut Outcome, pods: &[Pod], container: &str) {
    let ended = |pod: &Pod| {
        let statuses = pod.status.as_ref()?.container_statuses.as_deref()?;
        let status = statuses.iter().find(|status| status.name == container)?;
        let state = status.state.as_ref().and_then(|state| state.terminated.clone());
        state.or_else(|| status.last_state.as_ref()?.terminated.clone())
    };
    let has_failed = outcome.failure.is_some();
    let states = pods.iter().filter_map(ended).filter(|state| has_failed == (state.exit_code != 0));
    let Some(last) = states.max_by_key(|state| state.finished_at.as_ref().map(|time| time.0)) else { return };
    outcome.exit_code = Some(last.exit_code);
    let message = last.message.as_deref().map(str::trim_end).filter(|message| !message.is_empty());
    outcome.termination_message = message.map(tail);
    if let Some(failure) = &mut outcome.failure {
        let said = message.and_then(|message| message.lines().last());
        let said = said.map(|line| format!(": {}", tail(line))).unwrap_or_default();
        let word = last.reason.as_deref().filter(|reason| !["Error", "Completed"].contains(reason));
        let word = word.map(|word| format!(" ({word})")).unwrap_or_default();
        let code = last.exit_code;
        failure.message =
            format!("container `{container}` exited with code {code}{word}{said} ({})", failure.message);
    }
}

fn tail(text: &str) -> String {
    let start = text.char_indices().rev().nth(MESSAGE_TAIL - 1).map_or(0, |(start, _)| start);
    text[start..].to_owned()
}

#[cfg(test)]
mod tests;
