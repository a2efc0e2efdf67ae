//! Watches: all changes since a version, then each as it comes.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use futures_util::stream;
use hyper::Response;
use hyper::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::kind;
use super::refusal::Refusal;
use super::selector::Selector;
use super::store::Store;

/// Changes of other objects after which a watch is told how far it is.
const BOOKMARK_AFTER: u64 = 50;

/// How often watches were dropped, and the kind that is told nothing.
pub(crate) type Faults = (watch::Receiver<u64>, watch::Receiver<Option<&'static str>>);

struct Watch {
    store: Arc<Store>,
    selector: Selector,
    changes: watch::Receiver<u64>,
    drops: watch::Receiver<u64>,
    mute: watch::Receiver<Option<&'static str>>,
    /// When it ends by itself.
    end: Option<Instant>,
    /// How far it is.
    version: u64,
    /// How far the client knows that it is.
    told: u64,
}

pub(crate) fn watch(
    store: Arc<Store>,
    selector: Selector,
    since: u64,
    end: Option<Instant>,
    (drops, mute): Faults,
) -> Response<Body> {
    let changes = store.subscribe();
    let state = Some(Watch { store, selector, changes, drops, mute, end, version: since, told: since });
    let events = stream::unfold(state, |state| async {
        let mut watch = state?;
        let events = match watch.end {
            Some(end) => timeout_at(end, watch.next()).await.ok()?,
            None => watch.next().await,
        };
        let goes_on = events.is_ok() && watch.told != u64::MAX;
        Some((events.map(Bytes::from), goes_on.then_some(watch)))
    });
    let response = Response::builder().header(CONTENT_TYPE, "application/json");
    response.body(Body::from_stream(events)).expect("a header that is valid")
}

impl Watch {
    /// Lines of events; an error where the watch was dropped.
    async fn next(&mut self) -> io::Result<String> {
        loop {
            let plural = self.selector.plural;
            tokio::select! {
                told = self.mute.wait_for(|mute| *mute != Some(plural)) => drop(told),
                _ = self.drops.changed() => return Err(io::ErrorKind::ConnectionReset.into()),
            }
            self.changes.mark_unchanged();
            let lines = self.store.with(|objects| {
                if self.version < objects.compacted {
                    self.told = u64::MAX;
                    return line("ERROR", &Refusal::expired().to_json());
                }
                let fresh = objects.history_since(self.version).iter();
                let mine = fresh.filter(|change| change.plural == self.selector.plural);
                let lines: String = mine
                    .filter(|change| self.selector.matches(&change.object))
                    .map(|change| line(change.happened.as_str(), &change.object))
                    .collect();
                self.version = objects.version;
                lines
            });
            if !lines.is_empty() {
                self.told = self.told.max(self.version);
                return Ok(lines);
            }
            if self.version >= self.told + BOOKMARK_AFTER {
                self.told = self.version;
                return Ok(self.bookmark());
            }
            tokio::select! {
                _ = self.changes.changed() => {}
                _ = self.drops.changed() => return Err(io::ErrorKind::ConnectionReset.into()),
            }
        }
    }

    fn bookmark(&self) -> String {
        let kind = kind::of(self.selector.plural);
        let metadata = json!({"resourceVersion": self.version.to_string()});
        line("BOOKMARK", &json!({"apiVersion": kind.group_version, "kind": kind.name, "metadata": metadata}))
    }
}

fn line(type_: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": type_, "object": object}))
}
