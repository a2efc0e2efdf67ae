//! What is to be done: a pure function from (resource, observed Jobs, clock) to (status, actions, events).
//!
//! - here: [`plan()`], its arguments and results
//! - `steps`: which records of steps hold, given a spec
//! - `advance`: from one step to the next
//! - `summary`: phase, conditions and counts, which follow from the steps' records
//! - [`hash`]: what tells a changed step

mod advance;
pub mod hash;
mod steps;
mod summary;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use crate::resource::{
    Progress, RETRY_ANNOTATION, SequentialJob, SequentialJobSpec, SequentialJobStatus, StepPhase,
};
use crate::validate::{self, describe};

/// A spec that cannot run, or a Job that the API server does not take.
pub const INVALID_SPEC: &str = "InvalidSpec";

/// A Job that the API server does not take now.
const FAILED_CREATE: &str = "FailedCreate";

/// The sequence took longer than `activeDeadlineSeconds`.
pub const DEADLINE_EXCEEDED: &str = "DeadlineExceeded";

/// The longest message that a condition should have, in bytes.
const MAX_MESSAGE: usize = 32 << 10;

/// What is known of the Jobs, by their steps' index.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observation {
    /// Those that have the name of a step's Job.
    pub jobs: BTreeMap<usize, ObservedJob>,
    /// Steps whose Job is gone, but not its pods.
    pub orphaned: BTreeSet<usize>,
    /// Why the API server did not take the Job of the present step.
    pub rejection: Option<String>,
    /// Why it does not take it now.
    pub obstacle: Option<String>,
}

/// A Job as the plan sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedJob {
    /// Its uid.
    pub uid: String,
    /// Whether it belongs to the resource.
    pub is_ours: bool,
    /// The attempt that it was made for; none where somebody else made it.
    pub attempt: Option<i64>,
    /// Whether its `spec.suspend` is set.
    pub is_suspended: bool,
    /// Whether it is being deleted.
    pub is_deleting: bool,
    /// When its pods were first to be started.
    pub start_time: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

/// How a Job ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// When.
    pub at: Timestamp,
    /// Why it failed; none: it is complete.
    pub failure: Option<Failure>,
    /// The exit code of the pod that decided.
    pub exit_code: Option<i32>,
    /// The end of that pod's termination message.
    pub termination_message: Option<String>,
}

/// Why a Job failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// In one word.
    pub reason: String,
    /// In a sentence.
    pub message: String,
}

/// What is to be done by calls, in this order, after the status is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Make the Job of a step, or pause or continue it.
    Apply {
        /// The step's.
        index: usize,
        /// Which it is among all that were started.
        attempt: i64,
        /// Whether its pods are to wait.
        suspend: bool,
    },
    /// Delete a Job, and wait for its pods.
    Delete {
        /// The step's.
        index: usize,
        /// The one that is meant, and no later one of this name.
        uid: String,
    },
    /// Delete the resource: its time to live is over.
    DeleteSequence,
}

/// Something that happened, for `kubectl describe`.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The step's index; none: it is the sequence's.
    pub index: Option<usize>,
    /// In one word.
    pub reason: &'static str,
    /// In a sentence.
    pub note: String,
    /// Whether somebody has to look at it.
    pub is_warning: bool,
}

/// What follows from what is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The status that is to be written before anything is done.
    pub status: SequentialJobStatus,
    /// What is to be done then.
    pub actions: Vec<Action>,
    /// What has happened since the last status.
    pub events: Vec<Event>,
    /// Whether the resource must not go before its Jobs.
    pub needs_finalizer: bool,
    /// When to look again though nothing happens.
    pub look_again: Option<Duration>,
}

/// The beginning of a text, of so many bytes at most.
pub(crate) fn head(mut text: String, bytes: usize) -> String {
    const MORE: char = '…';
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes.saturating_sub(MORE.len_utf8())));
        text.push(MORE);
    }
    text
}

/// Decides what is to be done with `sequence`, as it is now.
pub fn plan(sequence: &SequentialJob, observed: &Observation, now: Timestamp) -> Plan {
    let mut planner = Planner::new(sequence, observed, now);
    if sequence.metadata.deletion_timestamp.is_some() {
        return planner.end();
    }
    planner.obey_retry();
    let faults = validate::faults(sequence);
    if faults.is_empty() {
        planner.accept();
        planner.align();
        planner.advance();
        planner.summarise();
    } else {
        planner.refuse(&head(describe(&faults), MAX_MESSAGE));
    }
    planner.stop_what_must_not_run();
    planner.finish()
}

/// A plan in the making.
struct Planner<'a> {
    sequence: &'a SequentialJob,
    spec: &'a SequentialJobSpec,
    observed: &'a Observation,
    /// In whole seconds, as Kubernetes writes it.
    now: Timestamp,
    status: SequentialJobStatus,
    actions: Vec<Action>,
    events: Vec<Event>,
    look_again: Option<Duration>,
    /// What the sequence waits for, or does, in a sentence.
    note: Option<String>,
    /// Whether a failure was taken back, by a retry or another spec.
    is_resumed: bool,
}

impl<'a> Planner<'a> {
    fn new(sequence: &'a SequentialJob, observed: &'a Observation, now: Timestamp) -> Self {
        Self {
            sequence,
            spec: &sequence.spec,
            observed,
            now: Timestamp::from_second(now.as_second()).unwrap_or(now),
            status: sequence.status.clone().unwrap_or_default(),
            actions: Vec::new(),
            events: Vec::new(),
            look_again: None,
            note: None,
            is_resumed: false,
        }
    }

    fn time(&self) -> Time {
        Time(self.now)
    }

    fn event(&mut self, index: Option<usize>, reason: &'static str, note: String, is_warning: bool) {
        self.events.push(Event { index, reason, note, is_warning });
    }

    fn look_again_in(&mut self, pause: Duration) {
        self.look_again = Some(self.look_again.map_or(pause, |other| other.min(pause)));
    }

    /// The Jobs that are ours, but not those of any step's present attempt.
    fn obsolete(&self) -> impl Iterator<Item = (usize, &'a ObservedJob)> + use<'a> {
        let steps = self.status.steps.iter().map(|step| step.attempt).collect::<Vec<_>>();
        let ours = self.observed.jobs.iter().filter(|(_, job)| job.is_ours);
        ours.map(|(index, job)| (*index, job)).filter(move |(index, job)| {
            job.attempt.is_none() || steps.get(*index).copied().flatten() != job.attempt
        })
    }

    /// Deletes what is obsolete, and all that runs when the sequence has failed.
    fn stop_what_must_not_run(&mut self) {
        let is_over = self.status.completion_time.is_some();
        let obsolete: Vec<usize> = self.obsolete().map(|(index, _)| index).collect();
        for (index, job) in &self.observed.jobs {
            let must_go = obsolete.contains(index) || is_over && job.is_ours && job.outcome.is_none();
            if must_go && !job.is_deleting {
                self.actions.push(Action::Delete { index: *index, uid: job.uid.clone() });
            }
        }
    }

    /// The resource is being deleted: its Jobs first.
    fn end(mut self) -> Plan {
        let ours: Vec<_> = self.observed.jobs.iter().filter(|(_, job)| job.is_ours).collect();
        for (index, job) in &ours {
            if !job.is_deleting {
                self.actions.push(Action::Delete { index: **index, uid: job.uid.clone() });
            }
        }
        Plan {
            needs_finalizer: !ours.is_empty(),
            status: self.status,
            actions: self.actions,
            events: self.events,
            look_again: None,
        }
    }

    fn finish(mut self) -> Plan {
        let is_over = self.status.completion_time.is_some();
        if is_over {
            self.expire();
        }
        let unfinished = |job: &ObservedJob| job.is_ours && (job.outcome.is_none() || job.is_deleting);
        Plan {
            needs_finalizer: !is_over || self.observed.jobs.values().any(unfinished),
            status: self.status,
            actions: self.actions,
            events: self.events,
            look_again: self.look_again,
        }
    }

    fn expire(&mut self) {
        let (Some(ttl), Some(end)) = (self.spec.ttl_seconds_after_finished, &self.status.completion_time)
        else {
            return;
        };
        let left = i64::from(ttl) - (self.now.as_second() - end.0.as_second());
        match u64::try_from(left) {
            Ok(left) if left > 0 => self.look_again_in(Duration::from_secs(left)),
            _ => self.actions.push(Action::DeleteSequence),
        }
    }

    /// What was refused and can run now begins anew.
    fn accept(&mut self) {
        let Progress { failed_index, failure_reason, .. } = &self.status.progress;
        self.is_resumed |= failed_index.is_none() && failure_reason.as_deref() == Some(INVALID_SPEC);
    }

    /// The retry annotation, where it says something new.
    fn obey_retry(&mut self) {
        let is_known = self.sequence.status.is_some();
        let Some(retry) = self.sequence.annotations().get(RETRY_ANNOTATION) else { return };
        if self.status.observed_retry.as_ref() == Some(retry) {
            return;
        }
        self.status.observed_retry = Some(retry.clone());
        // What the annotation says before there is anything to retry means nothing.
        if is_known
            && let Some(failed) = self.status.steps.iter_mut().find(|step| step.phase == StepPhase::Failed)
        {
            steps::forget(failed);
            self.is_resumed = true;
        }
    }
}

#[cfg(test)]
mod tests;
