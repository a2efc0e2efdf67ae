use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::controller::Action as Next;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::ObjectRef;
use kube::{Client, Resource, ResourceExt};

use super::Jobs;
use super::calls::{Applied, Calls, Error, event};
use crate::jobs::{self, job_name};
use crate::metrics::Metrics;
use crate::plan::{Action, Event, Observation, plan};
use crate::resource::{FINALIZER, MAX_CONTAINERS, SequentialJob, StepPhase};

/// A step's Job is made and seen within one pass: intent, Job, running. More rounds mean that something is wrong.
const MAX_ROUNDS: usize = 4;

/// How soon a sequence that is not over is looked at though nothing came: a watch that begins anew tells nobody of what
/// went meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// What all passes share.
pub struct Controller {
    client: Client,
    jobs: Jobs,
    reporter: Reporter,
    metrics: Arc<Metrics>,
    /// The version of the last own write of a resource, by uid, until the cache has it.
    written: Mutex<HashMap<String, u64>>,
}

impl Controller {
    /// A controller that knows of Jobs what `jobs` has.
    pub fn new(client: Client, jobs: Jobs, reporter: Reporter, metrics: Arc<Metrics>) -> Self {
        Self { client, jobs, reporter, metrics, written: Mutex::default() }
    }

    /// One pass over a sequence: as far as it can be gone now.
    ///
    /// # Errors
    /// A call failed; all that was done until then is as if the controller had been killed there.
    pub async fn reconcile(&self, sequence: Arc<SequentialJob>) -> Result<Next, Error> {
        // Else Jobs that are there would look as if they were not.
        if self.jobs.wait_until_ready().await.is_err() || self.is_behind(&sequence) {
            return Ok(Next::await_change());
        }
        let timer = self.metrics.start();
        let outcome = Pass::new(self, &sequence).run((*sequence).clone()).await;
        timer.stop(outcome.as_ref().err());
        outcome
    }

    /// Whether the cache does not have the last own write yet. With it comes the next pass.
    fn is_behind(&self, sequence: &SequentialJob) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let uid = sequence.uid().unwrap_or_default();
        let Some(own) = written.get(&uid).copied() else { return false };
        let is_behind = version(sequence).is_some_and(|cached| cached < own);
        if !is_behind {
            written.remove(&uid);
        }
        is_behind
    }

    fn wrote(&self, sequence: &SequentialJob) {
        if let (Some(uid), Some(version)) = (sequence.uid(), version(sequence)) {
            self.written.lock().unwrap_or_else(PoisonError::into_inner).insert(uid, version);
        }
    }

    fn forget(&self, sequence: &SequentialJob) {
        let uid = sequence.uid().unwrap_or_default();
        self.written.lock().unwrap_or_else(PoisonError::into_inner).remove(&uid);
    }
}

/// Versions are numbers that grow; were they not, nothing would be known of the cache, and no harm done.
fn version(sequence: &SequentialJob) -> Option<u64> {
    sequence.metadata.resource_version.as_ref()?.parse().ok()
}

/// A pass over one sequence.
struct Pass<'a> {
    controller: &'a Controller,
    calls: Calls,
    /// Jobs that calls have returned, by index: newer than the cache's.
    seen: BTreeMap<usize, Job>,
    rejection: Option<String>,
}

impl<'a> Pass<'a> {
    fn new(controller: &'a Controller, sequence: &SequentialJob) -> Self {
        let calls = Calls::new(&controller.client, sequence);
        Self { controller, calls, seen: BTreeMap::new(), rejection: None }
    }

    async fn run(mut self, mut sequence: SequentialJob) -> Result<Next, Error> {
        for _ in 0..MAX_ROUNDS {
            let observed = self.observe(&sequence).await?;
            let plan = plan(&sequence, &observed, Timestamp::now());
            let has_finalizer = sequence.finalizers().iter().any(|one| one == FINALIZER);
            let is_deleting = sequence.metadata.deletion_timestamp.is_some();
            let mut is_certain = false;
            if plan.needs_finalizer && !has_finalizer && !is_deleting {
                sequence = self.note(self.calls.set_finalizer(&sequence, true).await?);
                is_certain = true;
            }
            if !is_deleting && sequence.status.as_ref() != Some(&plan.status) {
                sequence = self.note(self.calls.write_status(&sequence, &plan.status).await?);
                is_certain = true;
            }
            // What is decided on an old view must not be done.
            if !plan.actions.is_empty() && !is_certain {
                self.calls.verify(&sequence).await?;
            }
            self.report(&sequence, plan.events).await;
            let mut goes_on = false;
            for action in plan.actions {
                goes_on |= self.act(&sequence, action).await?;
            }
            if goes_on {
                continue;
            }
            if !plan.needs_finalizer && has_finalizer {
                let left = self.calls.set_finalizer(&sequence, false).await?;
                if is_deleting { self.controller.forget(&left) } else { self.controller.wrote(&left) }
            }
            let is_over = plan.status.completion_time.is_some();
            let pause = plan.look_again.or((!is_over).then_some(LOOK_AGAIN));
            return Ok(pause.map_or_else(Next::await_change, |pause| Next::requeue(pause.min(LOOK_AGAIN))));
        }
        Ok(Next::requeue(LOOK_AGAIN))
    }

    fn note(&self, written: SequentialJob) -> SequentialJob {
        self.controller.wrote(&written);
        written
    }

    /// What is known of all Jobs that a sequence of this name may ever have had.
    async fn observe(&mut self, sequence: &SequentialJob) -> Result<Observation, Error> {
        let (name, namespace) = (sequence.name_any(), sequence.namespace().unwrap_or_default());
        let owner = sequence.uid().unwrap_or_default();
        let steps = sequence.status.as_ref().map(|status| status.steps.as_slice()).unwrap_or_default();
        let mut observed = Observation { rejection: self.rejection.clone(), ..Observation::default() };
        for index in 0..MAX_CONTAINERS {
            let job = job_name(&name, index);
            let cached = || self.controller.jobs.get(&ObjectRef::new(&job).within(&namespace));
            let mut found = self.seen.get(&index).map(|job| jobs::observe(job, &owner));
            found = found.or_else(|| cached().map(|job| jobs::observe(&job, &owner)));
            let step = steps.get(index);
            let is_open = step.is_some_and(|step| {
                step.attempt.is_some() && [StepPhase::Pending, StepPhase::Running].contains(&step.phase)
            });
            // Missing only for the cache, maybe: it was there, or the resource must not go before it.
            let is_deleting = sequence.metadata.deletion_timestamp.is_some();
            if found.is_none() && is_open && (is_deleting || step.is_some_and(|step| step.job_uid.is_some()))
            {
                let job = self.calls.read(&job).await?;
                found = job.as_ref().map(|job| jobs::observe(job, &owner));
            }
            let Some(mut found) = found else { continue };
            if is_open
                && found.attempt == step.and_then(|step| step.attempt)
                && let (Some(outcome), Some(container)) =
                    (&mut found.outcome, sequence.spec.containers.get(index))
            {
                jobs::explain(outcome, &self.calls.pods(&job).await?, &container.name);
            }
            observed.jobs.insert(index, found);
        }
        Ok(observed)
    }

    /// Does it; whether there is more to be seen at once.
    async fn act(&mut self, sequence: &SequentialJob, action: Action) -> Result<bool, Error> {
        match action {
            Action::Apply { index, attempt, suspend } => {
                match self.calls.apply(&jobs::job(sequence, index, attempt, suspend)).await? {
                    Applied::There(job) => _ = self.seen.insert(index, *job),
                    Applied::Refused(why) => self.rejection = Some(why),
                }
                return Ok(true);
            }
            Action::Delete { index, uid } => {
                self.calls.delete(&job_name(&sequence.name_any(), index), uid).await?;
            }
            Action::DeleteSequence => self.calls.delete_sequence(sequence).await?,
        }
        Ok(false)
    }

    /// Events are for people: one that is lost does not hold up the work.
    async fn report(&self, sequence: &SequentialJob, events: Vec<Event>) {
        // Without its version, which would make each a kind of its own.
        let about = ObjectReference { resource_version: None, ..sequence.object_ref(&()) };
        // A new one each time: it keeps what it reported for minutes, to count repeats, and here is none.
        let recorder = Recorder::new(self.controller.client.clone(), self.controller.reporter.clone());
        for one in events {
            let job = one.index.map(|index| ObjectReference {
                api_version: Some("batch/v1".to_owned()),
                kind: Some("Job".to_owned()),
                name: Some(job_name(&sequence.name_any(), index)),
                namespace: sequence.namespace(),
                ..ObjectReference::default()
            });
            let (name, namespace) = (sequence.name_any(), sequence.namespace());
            tracing::info!(name, namespace, reason = one.reason, "{}", one.note);
            if let Err(error) = recorder.publish(&event(one, job), &about).await {
                tracing::warn!(name, "failed to report an event: {error}");
            }
        }
    }
}
