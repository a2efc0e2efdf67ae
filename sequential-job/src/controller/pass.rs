use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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
use crate::plan::{Action, Event, Observation, ObservedJob, plan};
use crate::resource::{FINALIZER, MAX_CONTAINERS, RETRY_ANNOTATION, SequentialJob, StepPhase, StepStatus};

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
    /// The version of the last own write of a resource, and when that was, by uid.
    written: Mutex<HashMap<String, (u64, Instant)>>,
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
        if self.jobs.wait_until_ready().await.is_err() {
            return Ok(Next::await_change());
        }
        if self.is_behind(&sequence) {
            return Ok(Next::requeue(LOOK_AGAIN));
        }
        let timer = self.metrics.start();
        let outcome = Pass::new(self, &sequence).run((*sequence).clone()).await;
        timer.stop(outcome.as_ref().err());
        outcome
    }

    /// Whether the cache does not have the last own write yet. With it comes the next pass.
    fn is_behind(&self, sequence: &SequentialJob) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        // All that is saved by it are calls that would be refused. So nothing need be known for long, neither of what is
        // gone nor where versions went back, as after a restored backup.
        written.retain(|_, (_, at)| at.elapsed() < LOOK_AGAIN);
        let own = sequence.uid().and_then(|uid| written.get(&uid).map(|(own, _)| *own));
        own.zip(version(sequence)).is_some_and(|(own, cached)| cached < own)
    }

    fn wrote(&self, sequence: &SequentialJob) {
        if let (Some(uid), Some(version)) = (sequence.uid(), version(sequence)) {
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            written.insert(uid, (version, Instant::now()));
        }
    }
}

/// Versions are numbers that grow; were they not, nothing would be known of the cache, and no harm done.
fn version(sequence: &SequentialJob) -> Option<u64> {
    sequence.metadata.resource_version.as_ref()?.parse().ok()
}

/// Whether a plan would read of both the same, but for their status.
fn is_planned_alike(one: &SequentialJob, other: &SequentialJob) -> bool {
    let read = |sequence: &SequentialJob| {
        let metadata = sequence.metadata.clone();
        let retry = metadata.annotations.and_then(|mut all| all.remove(RETRY_ANNOTATION));
        (metadata.uid, metadata.generation, metadata.deletion_timestamp, retry)
    };
    read(one) == read(other)
}

/// Whether a step was to be started, and its end is not known.
fn is_open(step: &StepStatus) -> bool {
    step.attempt.is_some() && [StepPhase::Pending, StepPhase::Running].contains(&step.phase)
}

/// A pass over one sequence.
struct Pass<'a> {
    controller: &'a Controller,
    calls: Calls,
    /// Jobs that calls have returned, by index: newer than the cache's.
    seen: BTreeMap<usize, ObservedJob>,
    rejection: Option<String>,
    obstacle: Option<String>,
}

impl<'a> Pass<'a> {
    fn new(controller: &'a Controller, sequence: &SequentialJob) -> Self {
        let calls = Calls::new(&controller.client, sequence);
        Self { controller, calls, seen: BTreeMap::new(), rejection: None, obstacle: None }
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
                let written = self.note(self.calls.write_status(&sequence, &plan.status).await?);
                // One that changes nothing is not refused, however old the version that it names: another write of the
                // same arrived before, and somebody may have changed the resource since.
                if !is_planned_alike(&sequence, &written) {
                    return Err(Error::Stale);
                }
                sequence = written;
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
                self.note(self.calls.set_finalizer(&sequence, false).await?);
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
        let (rejection, obstacle) = (self.rejection.clone(), self.obstacle.clone());
        let is_refused = rejection.is_some() || obstacle.is_some();
        let mut observed = Observation { rejection, obstacle, ..Observation::default() };
        for index in 0..MAX_CONTAINERS {
            let job = job_name(&name, index);
            let cached = || self.controller.jobs.get(&ObjectRef::new(&job).within(&namespace));
            let mut found = self.seen.get(&index).cloned();
            found = found.or_else(|| cached().map(|job| jobs::observe(&job, &owner)));
            let open = steps.get(index).filter(|step| is_open(step));
            // Missing only for the cache, maybe, which knows no Job without our label either.
            if let (None, Some(step), false) = (&found, open, is_refused) {
                let job = self.calls.read(&job).await?;
                found = job.as_ref().map(|job| jobs::observe(job, &owner));
                if let (None, Some(uid), None) =
                    (&found, &step.job_uid, &sequence.metadata.deletion_timestamp)
                    && self.calls.pods(uid).await?.iter().any(jobs::may_run)
                {
                    observed.orphaned.insert(index);
                }
            }
            let Some(mut found) = found else { continue };
            if let (Some(step), Some(container)) = (open, sequence.spec.containers.get(index))
                && found.attempt == step.attempt
                && let Some(outcome) = &mut found.outcome
            {
                jobs::explain(outcome, &self.calls.pods(&found.uid).await?, &container.name);
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
                    Applied::There(job) => {
                        let owner = sequence.uid().unwrap_or_default();
                        self.seen.insert(index, jobs::observe(&job, &owner));
                    }
                    Applied::Refused(why) => self.rejection = Some(why),
                    Applied::Forbidden(why) => self.obstacle = Some(why),
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
