//! A cluster in a few lines: a sequence, its Jobs as the API server has them, and a controller that plans.

use std::collections::BTreeMap;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::super::*;
use crate::resource::RETRY_ANNOTATION;

/// All that there is.
#[derive(Clone)]
pub(super) struct World {
    pub(super) sequence: SequentialJob,
    pub(super) jobs: BTreeMap<usize, ObservedJob>,
    pub(super) now: Timestamp,
    /// Each Job that was made: its step and its attempt.
    pub(super) made: Vec<(usize, i64)>,
    /// Each Job that completed: its step and its attempt.
    pub(super) completed: Vec<(usize, i64)>,
    pub(super) events: Vec<&'static str>,
    uids: u32,
}

impl World {
    /// A sequence of so many steps, of which nothing has happened.
    pub(super) fn with_steps(count: usize) -> Self {
        let containers: Vec<_> =
            (0..count).map(|index| json!({"name": format!("c{index}"), "image": "i"})).collect();
        let sequence = serde_json::from_value(json!({
            "apiVersion": "batch.example.com/v1alpha1", "kind": "SequentialJob",
            "metadata": {"name": "sample", "uid": "u", "generation": 1},
            "spec": {"containers": containers},
        }));
        Self {
            sequence: sequence.unwrap(),
            jobs: BTreeMap::new(),
            now: "2024-01-15T10:00:00Z".parse().unwrap(),
            made: Vec::new(),
            completed: Vec::new(),
            events: Vec::new(),
            uids: 0,
        }
    }

    /// Another spec.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut SequentialJobSpec)) -> &mut Self {
        change(&mut self.sequence.spec);
        *self.sequence.metadata.generation.as_mut().unwrap() += 1;
        self
    }

    pub(super) fn image(&mut self, index: usize, image: &str) -> &mut Self {
        self.change(|spec| spec.containers[index].image = Some(image.to_owned()))
    }

    pub(super) fn retry(&mut self, value: &str) -> &mut Self {
        let annotations = self.sequence.metadata.annotations.get_or_insert_default();
        annotations.insert(RETRY_ANNOTATION.to_owned(), value.to_owned());
        self
    }

    pub(super) fn later(&mut self, seconds: i64) -> &mut Self {
        self.now += SignedDuration::from_secs(seconds);
        self
    }

    /// What a controller plans that sees `jobs`.
    pub(super) fn plan_with(&self, jobs: &BTreeMap<usize, ObservedJob>) -> Plan {
        let mut jobs = jobs.clone();
        // A Job that was there and is missing is looked for past the cache.
        for (index, step) in self.status().steps.iter().enumerate() {
            if step.job_uid.is_some() && !jobs.contains_key(&index) {
                jobs.extend(self.jobs.get(&index).map(|job| (index, job.clone())));
            }
        }
        plan(&self.sequence, &Observation { jobs, ..Observation::default() }, self.now)
    }

    /// Passes of the controller until nothing is left to be done.
    pub(super) fn settle(&mut self) -> &mut Self {
        for _ in 0..200 {
            let before = (self.sequence.status.clone(), self.jobs.clone());
            self.pass(&self.jobs.clone(), usize::MAX);
            self.jobs.retain(|_, job| !job.is_deleting);
            if before == (self.sequence.status.clone(), self.jobs.clone()) {
                return self;
            }
        }
        panic!("it never settles: {:?}", self.sequence.status);
    }

    /// One pass, which is killed after so many calls.
    pub(super) fn pass(&mut self, seen: &BTreeMap<usize, ObservedJob>, mut calls: usize) {
        let plan = self.plan_with(seen);
        if calls == 0 {
            return;
        }
        if self.sequence.status.as_ref() != Some(&plan.status) {
            self.sequence.status = Some(plan.status);
            self.events.extend(plan.events.iter().map(|event| event.reason));
            calls -= 1;
        }
        for action in plan.actions {
            if calls == 0 {
                return;
            }
            calls -= 1;
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Apply { index, attempt, suspend } => match self.jobs.get_mut(&index) {
                Some(job) if job.attempt == Some(attempt) => job.is_suspended = suspend,
                // A template cannot be changed.
                Some(_) => {}
                None => {
                    self.uids += 1;
                    self.made.push((index, attempt));
                    self.jobs.insert(index, job(&self.uids.to_string(), attempt));
                }
            },
            Action::Delete { index, uid } => {
                if let Some(job) = self.jobs.get_mut(&index).filter(|job| job.uid == uid) {
                    job.is_deleting = true;
                }
            }
            Action::DeleteSequence => {}
        }
    }

    pub(super) fn end(&mut self, index: usize, failure: Option<&str>) -> &mut Self {
        let failure = failure
            .map(|reason| Failure { reason: reason.to_owned(), message: "it did not work".to_owned() });
        let job = self.jobs.get_mut(&index).expect("a job to end");
        if failure.is_none() {
            self.completed.push((index, job.attempt.unwrap()));
        }
        let exit_code = Some(i32::from(failure.is_some()));
        job.outcome = Some(Outcome { at: self.now, failure, exit_code, termination_message: None });
        self
    }

    pub(super) fn complete(&mut self, index: usize) -> &mut Self {
        self.end(index, None).settle()
    }

    pub(super) fn fail(&mut self, index: usize) -> &mut Self {
        self.end(index, Some("BackoffLimitExceeded")).settle()
    }

    pub(super) fn status(&self) -> SequentialJobStatus {
        self.sequence.status.clone().unwrap_or_default()
    }

    /// The steps of all Jobs that were made, in their order.
    pub(super) fn started(&self) -> Vec<usize> {
        self.made.iter().map(|(index, _)| *index).collect()
    }

    /// A condition's status, reason and message.
    pub(super) fn condition(&self, type_: &str) -> (String, String, String) {
        let conditions = self.status().conditions;
        let one = conditions.into_iter().find(|condition| condition.type_ == type_).unwrap();
        (one.status, one.reason, one.message)
    }

    /// `Available`, `Progressing`, `Failed`.
    pub(super) fn conditions(&self) -> [bool; 3] {
        ["Available", "Progressing", "Failed"].map(|type_| self.condition(type_).0 == "True")
    }
}

/// A Job that was just made.
pub(super) fn job(uid: &str, attempt: i64) -> ObservedJob {
    ObservedJob {
        uid: uid.to_owned(),
        is_ours: true,
        attempt: Some(attempt),
        is_suspended: false,
        is_deleting: false,
        start_time: None,
        outcome: None,
    }
}
