//! The history of a namespace of a real API server.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use k8s_openapi::api::batch::v1::Job;
use kube::api::{ApiResource, DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::{Api, Client, ResourceExt};
use sequential_job::resource::SequentialJob;

use crate::history::{Change, Happened};

/// Writes down what its watches tell, until the test's runtime ends.
pub(crate) struct Recorder {
    changes: Arc<Mutex<Vec<Change>>>,
}

impl Recorder {
    pub(crate) async fn start(client: &Client, namespace: &str) -> Self {
        let changes = Arc::default();
        for (plural, kind) in kinds() {
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind);
            let version = version_of(&api).await;
            tokio::spawn(record(api, plural, version, Arc::clone(&changes)));
        }
        Self { changes }
    }

    /// What has happened until now.
    pub(crate) async fn history(&self, client: &Client, namespace: &str) -> Vec<Change> {
        for (plural, kind) in kinds() {
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind);
            let there = api.list(&ListParams::default()).await.unwrap();
            let last = there
                .items
                .iter()
                .filter_map(ResourceExt::resource_version)
                .map(|version| number(&version))
                .max();
            while last > self.last(plural) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        changes.sort_by_key(|change| change.version);
        changes
    }

    fn last(&self, plural: &str) -> Option<u64> {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.iter().filter(|change| change.plural == plural).map(|change| change.version).max()
    }
}

fn kinds() -> [(&'static str, ApiResource); 2] {
    [("jobs", ApiResource::erase::<Job>(&())), ("sequentialjobs", ApiResource::erase::<SequentialJob>(&()))]
}

async fn version_of(api: &Api<DynamicObject>) -> String {
    api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap_or_default()
}

async fn record(
    api: Api<DynamicObject>,
    plural: &'static str,
    mut version: String,
    changes: Arc<Mutex<Vec<Change>>>,
) {
    loop {
        let mut events = api.watch(&WatchParams::default(), &version).await.unwrap().boxed();
        while let Some(event) = events.next().await {
            let (happened, object) = match event.unwrap() {
                WatchEvent::Added(object) => (Happened::Added, object),
                WatchEvent::Modified(object) => (Happened::Modified, object),
                WatchEvent::Deleted(object) => (Happened::Deleted, object),
                WatchEvent::Bookmark(_) => continue,
                WatchEvent::Error(error) => panic!("a watch of {plural} broke: {error:?}"),
            };
            version = object.resource_version().unwrap_or_default();
            let object = Arc::new(serde_json::to_value(object).unwrap());
            let change = Change { version: number(&version), plural, happened, object };
            changes.lock().unwrap_or_else(PoisonError::into_inner).push(change);
        }
    }
}

fn number(version: &str) -> u64 {
    version.parse().expect("versions are numbers")
}
