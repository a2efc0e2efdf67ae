use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{
    Action, DEADLINE_EXCEEDED, FAILED_CREATE, INVALID_SPEC, MAX_MESSAGE, ObservedJob, Outcome, Planner, hash,
    head, steps,
};
use crate::resource::StepPhase;

/// How soon a Job of somebody else is looked at again: nobody tells when it goes.
const LOOK_AT_OTHERS: Duration = Duration::from_secs(5);

impl Planner<'_> {
    /// Goes on from step to step, as far as it can be gone now.
    pub(super) fn advance(&mut self) {
        if self.is_resumed {
            self.status.start_time = None;
            self.status.completion_time = None;
        }
        self.keep_time_while_suspended();
        while let Some(index) = self.current() {
            let step = &self.status.steps[index];
            if step.phase == StepPhase::Failed {
                break;
            }
            if self.is_overdue() && !self.has_ended(index) && !self.spec.is_suspended() {
                let seconds = self.spec.active_deadline_seconds.unwrap_or_default();
                self.fail(index, DEADLINE_EXCEEDED, format!("the sequence took longer than {seconds} s"));
                break;
            }
            let goes_on = match (step.attempt, self.observed.jobs.get(&index)) {
                (None, _) => self.begin(index),
                (Some(attempt), None) => self.miss(index, attempt),
                (Some(_), Some(job)) if !job.is_ours => self.wait_for_stranger(index),
                (Some(attempt), Some(job)) if job.attempt == Some(attempt) => {
                    self.follow(index, attempt, job)
                }
                // Obsolete: it goes first.
                (Some(_), Some(_)) => self.wait(format!("Waiting for an earlier job {index} to end")),
            };
            if !goes_on {
                break;
            }
        }
        if self.status.completion_time.is_none()
            && !self.spec.is_suspended()
            && let Some(left) = self.deadline_in()
        {
            self.look_again_in(left.unsigned_abs() + Duration::from_secs(1));
        }
    }

    /// The first step that is not done.
    pub(super) fn current(&self) -> Option<usize> {
        self.status.steps.iter().position(|step| step.phase != StepPhase::Succeeded)
    }

    /// Whether the outcome of a step is known, and only not noted: it counts, however late it is seen.
    fn has_ended(&self, index: usize) -> bool {
        let attempt = self.status.steps[index].attempt;
        let is_its = |job: &ObservedJob| job.is_ours && attempt.is_some() && job.attempt == attempt;
        self.observed.jobs.get(&index).is_some_and(|job| is_its(job) && job.outcome.is_some())
    }

    /// As for a Job, the time begins anew when a paused sequence continues.
    fn keep_time_while_suspended(&mut self) {
        if self.spec.is_suspended() {
            if self.current().is_some_and(|index| self.status.steps[index].phase != StepPhase::Failed) {
                self.status.start_time = None;
            }
        } else if self.status.start_time.is_none() && self.status.attempts > 0 && !self.is_resumed {
            self.status.start_time = Some(self.time());
        }
    }

    fn wait(&mut self, note: String) -> bool {
        self.note = Some(note);
        false
    }

    fn wait_for_stranger(&mut self, index: usize) -> bool {
        self.look_again_in(LOOK_AT_OTHERS);
        let name = &self.status.steps[index].job;
        self.wait(format!("Waiting for job `{name}`, which belongs to somebody else, to go"))
    }

    /// A step that is to be started, unless something is in its way.
    fn begin(&mut self, index: usize) -> bool {
        if self.spec.is_suspended() {
            return false;
        }
        if let Some((obsolete, _)) = self.obsolete().next() {
            return self.wait(format!("Waiting for an earlier job {obsolete} to end"));
        }
        if self.observed.jobs.get(&index).is_some_and(|job| !job.is_ours) {
            return self.wait_for_stranger(index);
        }
        self.status.attempts += 1;
        let attempt = self.status.attempts;
        let spec_hash = Some(hash::of_step(self.spec, index));
        let step = &mut self.status.steps[index];
        step.attempt = Some(attempt);
        step.spec_hash = spec_hash;
        if self.status.start_time.is_none() {
            self.status.start_time = Some(self.time());
        }
        self.actions.push(Action::Apply { index, attempt, suspend: false });
        false
    }

    /// The Job of a step that was to be started is not there.
    fn miss(&mut self, index: usize, attempt: i64) -> bool {
        if let Some(rejection) = &self.observed.rejection {
            self.fail(index, INVALID_SPEC, format!("Job {index} was refused: {rejection}"));
            return false;
        }
        if let Some(obstacle) = &self.observed.obstacle {
            return self.stumble(index, format!("Job {index} cannot be made: {obstacle}"));
        }
        if self.observed.orphaned.contains(&index) {
            self.look_again_in(LOOK_AT_OTHERS);
            return self.wait(format!("Waiting for the pods of job {index}, which was deleted, to end"));
        }
        if self.status.steps[index].job_uid.is_some() {
            self.event(
                Some(index),
                "JobDeleted",
                format!("Job {index} was deleted before its end: it is run again"),
                true,
            );
            let step = &mut self.status.steps[index];
            steps::forget(step);
            step.message = Some(format!("Job {index} was deleted and runs again"));
            return true;
        }
        // While it is suspended the intent stands: its Job may be there, and only not be seen yet.
        if !self.spec.is_suspended() {
            self.actions.push(Action::Apply { index, attempt, suspend: false });
        }
        false
    }

    /// Something is in the way of a step's Job, and may go.
    fn stumble(&mut self, index: usize, message: String) -> bool {
        let message = head(message, MAX_MESSAGE);
        let step = &mut self.status.steps[index];
        step.reason = Some(FAILED_CREATE.to_owned());
        if step.message.replace(message.clone()).as_ref() != Some(&message) {
            self.event(Some(index), FAILED_CREATE, message, true);
        }
        self.look_again_in(LOOK_AT_OTHERS);
        false
    }

    /// The Job of a step is there.
    fn follow(&mut self, index: usize, attempt: i64, job: &ObservedJob) -> bool {
        let start = job.start_time.unwrap_or(self.now);
        let step = &mut self.status.steps[index];
        if step.job_uid.is_none() {
            step.job_uid = Some(job.uid.clone());
            step.start_time = Some(Time(start));
            step.phase = StepPhase::Running;
            if step.reason.take().is_some() {
                step.message = None;
            }
            self.event(Some(index), "JobStarted", format!("Started job {index}"), false);
        }
        match &job.outcome {
            Some(outcome) => self.conclude(index, outcome),
            None if job.is_deleting => self.wait(format!("Job {index} is being deleted")),
            None => {
                let suspend = self.spec.is_suspended();
                if job.is_suspended != suspend {
                    self.actions.push(Action::Apply { index, attempt, suspend });
                }
                false
            }
        }
    }

    fn conclude(&mut self, index: usize, outcome: &Outcome) -> bool {
        let step = &mut self.status.steps[index];
        step.end_time = Some(Time(outcome.at));
        step.exit_code = outcome.exit_code;
        step.termination_message.clone_from(&outcome.termination_message);
        if let Some(failure) = &outcome.failure {
            self.fail(index, &failure.reason, format!("Job {index} failed: {}", failure.message));
            return false;
        }
        step.phase = StepPhase::Succeeded;
        let message = format!("Job {index} completed successfully");
        step.message = Some(message.clone());
        self.event(Some(index), "JobCompleted", message, false);
        true
    }

    fn fail(&mut self, index: usize, reason: &str, message: String) {
        let (now, message) = (self.time(), head(message, MAX_MESSAGE));
        let spec_hash = hash::of_step(self.spec, index);
        let step = &mut self.status.steps[index];
        // Also of one that was never to be started: by it a mended spec is told.
        step.spec_hash.get_or_insert(spec_hash);
        step.phase = StepPhase::Failed;
        step.end_time.get_or_insert(now);
        step.reason = Some(reason.to_owned());
        step.message = Some(message.clone());
        self.event(Some(index), "JobFailed", message, true);
    }
}
