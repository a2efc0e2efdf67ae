//! An API server of these kinds, in this process, with a Job controller and a garbage collector.
//!
//! It serves get, list, create, update, delete and all patches but strategic ones; versions, conflicts and preconditions;
//! watches with bookmarks, with an end and with versions that are too old; the status as a subresource; finalizers, owner
//! references, deletion in the foreground and in the background; a Job's template that cannot change; webhooks that are
//! asked about what is created and replaced.
//!
//! It does not model: schemas, CEL and defaults (a real one says what they do), pages of lists, `managedFields`
//! (an applied field belongs to whoever applied it last), strategic merge patches, orphaned dependents, more than one
//! pod a Job.
//!
//! - `kind`: the kinds and their addresses; `store`: objects and verbs; `fields`: what an apply does; `refusal`: what is answered otherwise
//! - `admission`: webhooks; `door`: a port, its faults; `answer`: requests; `watching`, `selector`: watches
//! - `jobs`: the Job controller; `garbage`: the garbage collector

mod admission;
mod answer;
pub(crate) mod door;
mod fields;
mod garbage;
mod jobs;
mod kind;
mod refusal;
mod selector;
mod store;
mod watching;

use std::sync::Arc;

pub(crate) use door::{Call, Door, Fault};
pub(crate) use jobs::Exit;
use kind::Key;
use store::Store;

use crate::history::Change;

/// The server; it ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Fake {
    store: Arc<Store>,
}

impl Fake {
    pub(crate) fn start() -> Self {
        let store = Arc::new(Store::new());
        tokio::spawn(work(Arc::clone(&store)));
        Self { store }
    }

    /// Another port to it.
    pub(crate) async fn door(&self) -> Arc<Door> {
        Door::open(Arc::clone(&self.store)).await
    }

    /// All that has happened.
    pub(crate) fn history(&self) -> Vec<Change> {
        self.store.with(|objects| objects.history.clone())
    }

    /// Lets the webhook's Service lead there.
    pub(crate) fn route_webhook(&self, to: std::net::SocketAddr) {
        self.store.with(|objects| objects.webhook = Some(to));
    }

    /// Forgets old versions: watches that would begin at one have to list again.
    pub(crate) fn compact(&self) {
        self.store.with(|objects| objects.compacted = objects.version);
    }

    /// Lets pods take their time, or not any more: those that are deleted stay, and no Job is complete or has failed.
    pub(crate) fn hold_pods(&self, are_held: bool) {
        self.store.with(|objects| {
            objects.are_pods_held = are_held;
            let of = |plural| objects.all(plural, None).map(|(key, _)| key.clone()).collect::<Vec<_>>();
            let (pods, jobs) = (of("pods"), of("jobs"));
            pods.iter().for_each(|pod| jobs::end_deleted(objects, pod));
            jobs.iter().for_each(|job| jobs::advance(objects, job));
        });
    }

    /// Ends a Job that runs.
    pub(crate) fn finish(&self, namespace: &str, job: &str, exit: &Exit) {
        self.store.with(|objects| jobs::exit_with(objects, &Key::new("jobs", namespace, job), exit));
    }
}

/// Does what others of a cluster do, one change after the other.
async fn work(store: Arc<Store>) {
    let mut changes = store.subscribe();
    let mut done = 0;
    loop {
        let fresh = store.with(|objects| objects.history_since(done).to_vec());
        for change in &fresh {
            done = change.version;
            store.with(|objects| {
                garbage::follow(objects, change);
                match change.plural {
                    "jobs" => jobs::advance(objects, &change.key()),
                    "pods" => jobs::end_deleted(objects, &change.key()),
                    _ => {}
                }
            });
        }
        if fresh.is_empty() && changes.changed().await.is_err() {
            return;
        }
    }
}
