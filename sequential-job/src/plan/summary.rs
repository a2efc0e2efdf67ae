use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::{INVALID_SPEC, Planner, steps};
use crate::resource::{JobCounts, Phase, Progress, StepPhase};

/// The condition of a sequence that is done.
const AVAILABLE: &str = "Available";

/// The condition of a sequence that goes on.
const PROGRESSING: &str = "Progressing";

/// The condition of a sequence that failed.
const FAILED: &str = "Failed";

impl Planner<'_> {
    /// What follows from the steps' records.
    pub(super) fn summarise(&mut self) {
        let current = self.current();
        let failed = current.filter(|index| self.status.steps[*index].phase == StepPhase::Failed);
        match (current, failed) {
            (None, _) => self.succeed(),
            (_, Some(failed)) => {
                let step = &self.status.steps[failed];
                let reason = step.reason.clone().unwrap_or_else(|| "JobFailed".to_owned());
                let message = step.message.clone().unwrap_or_default();
                self.fail_with(Some(failed), &reason, &message);
            }
            (Some(current), None) => self.progress(current),
        }
        self.count();
    }

    /// Ends as failed without running anything: all that was started and is not done is obsolete.
    pub(super) fn refuse(&mut self, message: &str) {
        for step in &mut self.status.steps {
            if step.phase != StepPhase::Succeeded {
                steps::forget(step);
            }
        }
        if self.status.progress.failure_reason.as_deref() != Some(INVALID_SPEC) {
            self.event(None, INVALID_SPEC, message.to_owned(), true);
            self.status.completion_time = None;
        }
        self.fail_with(None, INVALID_SPEC, message);
        self.count();
    }

    fn succeed(&mut self) {
        let last = self.status.steps.len().saturating_sub(1);
        let message = format!("Job {last} completed successfully, the last one");
        self.status.phase = Phase::Succeeded;
        self.status.progress = Progress::default();
        self.status.completion_time.get_or_insert(Time(self.now));
        self.condition(AVAILABLE, true, "Completed", &message);
        self.condition(PROGRESSING, false, "Completed", &message);
        self.condition(FAILED, false, "Completed", &message);
    }

    fn fail_with(&mut self, index: Option<usize>, reason: &str, message: &str) {
        self.status.phase = Phase::Failed;
        self.status.progress = Progress {
            failed_index: index.map(number),
            failure_reason: Some(reason.to_owned()),
            ..Progress::default()
        };
        self.status.completion_time.get_or_insert(Time(self.now));
        self.condition(AVAILABLE, false, reason, message);
        self.condition(PROGRESSING, false, reason, message);
        self.condition(FAILED, true, reason, message);
    }

    fn progress(&mut self, current: usize) {
        let is_suspended = self.spec.is_suspended();
        let step = &self.status.steps[current];
        let is_started = self.status.attempts > 0;
        self.status.phase = match (is_suspended, is_started) {
            (true, _) => Phase::Suspended,
            (_, true) => Phase::Running,
            (_, false) => Phase::Pending,
        };
        let doing = match (self.note.take(), step.phase) {
            (Some(note), _) => note,
            (None, _) if is_suspended => format!("Suspended at job {current}"),
            (None, StepPhase::Running) => format!("Job {current} is running"),
            (None, _) if step.reason.is_some() => "it is tried again".to_owned(),
            (None, _) => format!("Job {current} is about to start"),
        };
        let before = current.checked_sub(1).map(|done| format!("Job {done} completed successfully; "));
        let again = step.message.as_ref().map(|message| format!("{message}; "));
        let message = format!("{}{doing}", again.or(before).unwrap_or_default());
        let reason = if is_suspended { "Suspended" } else { "InProgress" };
        self.status.progress = Progress { current_index: Some(number(current)), ..Progress::default() };
        self.status.completion_time = None;
        self.condition(AVAILABLE, false, reason, &message);
        self.condition(PROGRESSING, !is_suspended, reason, &message);
        self.condition(FAILED, false, reason, &message);
    }

    fn count(&mut self) {
        let is_in = |phase: StepPhase| {
            let steps = self.status.steps.iter().enumerate();
            steps
                .filter(move |(_, step)| step.phase == phase)
                .map(|(index, _)| number(index))
                .collect::<Vec<_>>()
        };
        let [active, succeeded, failed] =
            [StepPhase::Running, StepPhase::Succeeded, StepPhase::Failed].map(is_in);
        let (total, done) = (self.spec.containers.len(), succeeded.len());
        let reached = done + usize::from(done < total && self.status.attempts > 0);
        self.status.state =
            JobCounts { active: number(active.len()), succeeded: number(done), failed: number(failed.len()) };
        self.status.progress.completed_indices = succeeded;
        self.status.step = format!("{reached}/{total}");
        self.status.observed_generation = self.sequence.metadata.generation;
    }

    fn condition(&mut self, type_: &str, is_true: bool, reason: &str, message: &str) {
        let status = if is_true { "True" } else { "False" };
        let conditions = &mut self.status.conditions;
        let before =
            conditions.iter().position(|condition| condition.type_ == type_).map(|at| conditions.remove(at));
        let since = before.filter(|before| before.status == status).map(|before| before.last_transition_time);
        conditions.push(Condition {
            last_transition_time: since.unwrap_or(Time(self.now)),
            message: message.to_owned(),
            observed_generation: self.sequence.metadata.generation,
            reason: reason.to_owned(),
            status: status.to_owned(),
            type_: type_.to_owned(),
        });
    }
}

/// Indices and counts of at most 64.
fn number(index: usize) -> i32 {
    i32::try_from(index).unwrap_or(i32::MAX)
}
