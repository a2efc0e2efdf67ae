use k8s_openapi::jiff::SignedDuration;

use super::{DEADLINE_EXCEEDED, Planner, hash};
use crate::jobs::job_name;
use crate::resource::{StepPhase, StepStatus};

/// As if the step had never been started. Its Job, if there is one, is obsolete from now on.
pub(super) fn forget(step: &mut StepStatus) {
    *step = StepStatus { name: step.name.clone(), job: step.job.clone(), ..StepStatus::default() };
}

impl Planner<'_> {
    /// Gives each step its record: what was there and still holds, from the first that is another on nothing.
    pub(super) fn align(&mut self) {
        let sequence = self.sequence.metadata.name.as_deref().unwrap_or_default();
        let mut before = std::mem::take(&mut self.status.steps).into_iter();
        let mut holds = true;
        for (index, container) in self.spec.containers.iter().enumerate() {
            let fresh = StepStatus {
                name: container.name.clone(),
                job: job_name(sequence, index),
                ..StepStatus::default()
            };
            let record = before.next();
            holds &= record.as_ref().is_none_or(|record| self.is_unchanged(record, index));
            self.is_resumed |=
                !holds && record.as_ref().is_some_and(|record| record.phase == StepPhase::Failed);
            // One that was not started has no name to keep.
            let kept = record.filter(|record| holds && record.spec_hash.is_some());
            self.status.steps.push(kept.unwrap_or(fresh));
        }
        self.is_resumed |= before.any(|record| record.phase == StepPhase::Failed);
        self.lift_deadline();
    }

    fn is_unchanged(&self, record: &StepStatus, index: usize) -> bool {
        let Some(started) = &record.spec_hash else { return true };
        let wanted = hash::of_step(self.spec, index);
        if record.phase == StepPhase::Succeeded {
            hash::has_same_own_half(started, &wanted)
        } else {
            *started == wanted
        }
    }

    /// A sequence that had too little time goes on where its spec gives it more: only then, since clocks go back too.
    fn lift_deadline(&mut self) {
        if self.is_overdue() || self.status.observed_generation == self.sequence.metadata.generation {
            return;
        }
        let is_late = |step: &&mut StepStatus| {
            step.phase == StepPhase::Failed && step.reason.as_deref() == Some(DEADLINE_EXCEEDED)
        };
        if let Some(late) = self.status.steps.iter_mut().find(is_late) {
            forget(late);
            // Not resumed: the time that was used stays used.
            self.status.completion_time = None;
        }
    }

    /// Whether the sequence has had all the time that it may take.
    pub(super) fn is_overdue(&self) -> bool {
        self.deadline_in().is_some_and(|left| left <= SignedDuration::ZERO)
    }

    /// How much time the sequence has left.
    pub(super) fn deadline_in(&self) -> Option<SignedDuration> {
        let start = self.status.start_time.as_ref()?.0;
        let span = SignedDuration::from_secs(self.spec.active_deadline_seconds?);
        Some(span.saturating_sub(self.now.duration_since(start)))
    }
}
