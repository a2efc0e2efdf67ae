//! The calls: watches, and what each pass over a sequence reads and writes.
//!
//! - here: [`run`], the watches and what they wake
//! - `pass`: one pass over one sequence
//! - `calls`: the calls to the API server that a pass may make

mod calls;
mod pass;

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use kube::runtime::controller::{Action, trigger_owners, trigger_self};
use kube::runtime::events::Reporter;
use kube::runtime::reflector::{self, Store};
use kube::runtime::utils::Backoff;
use kube::runtime::{WatchStreamExt, applier, watcher};
use kube::{Api, Client, Resource};
use service::Shutdown;

pub use crate::controller::calls::{Error, MANAGER};
pub use crate::controller::pass::Controller;
use crate::jobs::{SEQUENCE_LABEL, WatchedJob};
use crate::metrics::Metrics;
use crate::resource::{RETRY_ANNOTATION, SequentialJob};

/// How soon what failed is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How soon it is looked again, after somebody else was faster: as long as news of it takes to come.
const CONFLICT_AFTER: Duration = Duration::from_millis(200);

/// How long a watch is asked for. One that brings nothing for so long, not even its end, is begun anew: its server may be
/// gone without a word.
const WATCH_SECONDS: u32 = 45;

/// The longest pause before a watch that broke is begun anew, however long the API server was away.
const WATCH_AGAIN_WITHIN: Duration = Duration::from_secs(10);

/// Sequences that are worked on at once.
const CONCURRENCY: u16 = 16;

/// Which resources are looked after.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Those of one namespace, or of all.
    pub namespace: Option<String>,
    /// Who reports events.
    pub identity: String,
}

impl Scope {
    fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        match &self.namespace {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        }
    }
}

/// Looks after all sequences until `shutdown` is requested, and ends the passes that are in hand then.
pub async fn run(client: Client, scope: Scope, metrics: Arc<Metrics>, shutdown: Shutdown) {
    let (sequences, sequence_writer) = reflector::store();
    let (jobs, job_writer) = reflector::store();
    let watched = watcher::Config::default().timeout(WATCH_SECONDS);
    let own = watcher(scope.api::<SequentialJob>(&client), watched.clone())
        .backoff(WatchBackoff::default())
        .modify(shrink)
        .reflect(sequence_writer)
        .applied_objects();
    let owned = watcher(scope.api::<WatchedJob>(&client), watched.labels(SEQUENCE_LABEL))
        .backoff(WatchBackoff::default())
        .modify(WatchedJob::shrink)
        .reflect(job_writer)
        .touched_objects();
    let queue = stream::select(
        trigger_self(own, ()).boxed(),
        trigger_owners::<SequentialJob, _>(owned, (), ()).boxed(),
    );
    let _watching = metrics.watch(sequences.clone());
    let reporter = Reporter { controller: MANAGER.to_owned(), instance: Some(scope.identity) };
    let controller = Controller::new(client, jobs, reporter, Arc::clone(&metrics));
    applier(
        |sequence, controller: Arc<Controller>| async move { controller.reconcile(sequence).await }.boxed(),
        |sequence: Arc<SequentialJob>, error: &Error, _| retry(&sequence, error),
        Arc::new(controller),
        sequences,
        queue.take_until(async move { shutdown.requested().await }),
        kube::runtime::Config::default().concurrency(CONCURRENCY),
    )
    .for_each(|outcome| {
        // The passes' own errors are reported where they are tried again; a resource that is gone needs nothing.
        if let Err(kube::runtime::controller::Error::QueueError(error)) = outcome {
            metrics.watch_failed();
            // kube's errors tell their sources themselves.
            tracing::warn!("failed to watch, trying again: {error}");
        }
        std::future::ready(())
    })
    .await;
}

fn retry(sequence: &SequentialJob, error: &Error) -> Action {
    let (name, namespace) = (sequence.metadata.name.as_deref(), sequence.metadata.namespace.as_deref());
    if error.is_conflict() {
        tracing::debug!(name, namespace, "somebody else was faster");
        return Action::requeue(CONFLICT_AFTER);
    }
    let source = error.source().map(ToString::to_string);
    tracing::warn!(name, namespace, source, "failed to reconcile, trying again: {error}");
    Action::requeue(RETRY_AFTER)
}

/// Pauses that grow, but not so far that an API server that is back waits for long.
#[derive(Default)]
struct WatchBackoff(watcher::DefaultBackoff);

impl Iterator for WatchBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next().map(|pause| pause.min(WATCH_AGAIN_WITHIN))
    }
}

impl Backoff for WatchBackoff {
    fn reset(&mut self) {
        self.0.reset();
    }
}

/// Forgets what nobody reads, and may be as long as all else.
fn shrink(sequence: &mut SequentialJob) {
    sequence.metadata.managed_fields = None;
    if let Some(annotations) = &mut sequence.metadata.annotations {
        annotations.retain(|name, _| name == RETRY_ANNOTATION);
    }
}

/// The Jobs that a watch has seen.
pub(crate) type Jobs = Store<WatchedJob>;
