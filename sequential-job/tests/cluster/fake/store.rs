//! Objects, their versions, and all that has ever happened to them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::fields::{is_same, merge, prune, restore};
use super::kind::{self, Key};
use super::refusal::Refusal;
use crate::history::{Change, Happened};

/// All objects, behind one lock; a change is told to whoever waits for one.
pub(crate) struct Store {
    objects: Mutex<Objects>,
    version: watch::Sender<u64>,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self { objects: Mutex::default(), version: watch::Sender::new(0) }
    }

    /// Looks at the objects, or changes them.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Objects) -> T) -> T {
        let mut objects = self.lock();
        let result = act(&mut objects);
        let version = objects.version;
        drop(objects);
        self.version.send_if_modified(|last| std::mem::replace(last, version) != version);
        result
    }

    fn lock(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of changes from now on.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
}

#[derive(Default)]
pub(crate) struct Objects {
    /// That of the last change.
    pub(crate) version: u64,
    /// Watches that would begin before it are refused.
    pub(crate) compacted: u64,
    pub(crate) history: Vec<Change>,
    objects: BTreeMap<Key, Arc<Value>>,
    /// What each manager has applied last, to the object or its status.
    applied: BTreeMap<(Key, String, bool), Value>,
    /// Where objects are, by uid.
    places: HashMap<String, Key>,
    /// What belongs to an object, by its uid.
    dependents: HashMap<String, BTreeSet<Key>>,
    uids: u64,
    /// Where the webhook's Service leads to.
    pub(crate) webhook: Option<std::net::SocketAddr>,
    /// Whether pods that are deleted stay, and Jobs wait to be complete as if theirs did.
    pub(crate) are_pods_held: bool,
}

impl Objects {
    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Value>> {
        self.objects.get(key)
    }

    pub(crate) fn find(&self, key: &Key) -> Result<Arc<Value>, Refusal> {
        self.get(key).cloned().ok_or_else(|| Refusal::not_found(key))
    }

    /// All of a kind, of one namespace or of all.
    pub(crate) fn all(
        &self,
        plural: &'static str,
        namespace: Option<&str>,
    ) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        let of_kind =
            self.objects.range(Key::new(plural, "", "")..).take_while(move |(key, _)| key.plural == plural);
        of_kind.filter(move |(key, _)| namespace.is_none_or(|namespace| key.namespace == namespace))
    }

    /// The object of this uid.
    pub(crate) fn place(&self, uid: &str) -> Option<&Key> {
        self.places.get(uid)
    }

    /// Those that belong to the object of this uid.
    pub(crate) fn dependents(&self, uid: &str) -> Vec<Key> {
        self.dependents.get(uid).into_iter().flatten().cloned().collect()
    }

    pub(crate) fn history_since(&self, version: u64) -> &[Change] {
        let from = self.history.partition_point(|change| change.version <= version);
        &self.history[from..]
    }

    /// Makes an object.
    pub(crate) fn create(&mut self, mut key: Key, mut object: Value) -> Result<Arc<Value>, Refusal> {
        self.uids += 1;
        let kind = kind::of(key.plural);
        let has_long_note = object["note"].as_str().is_some_and(|note| note.len() > MAX_NOTE);
        let metadata = object["metadata"].as_object_mut().ok_or_else(|| Refusal::bad(&"no metadata"))?;
        if key.name.is_empty() {
            let prefix = metadata.get("generateName").and_then(Value::as_str).unwrap_or_default();
            key.name = metadata
                .get("name")
                .and_then(Value::as_str)
                .map_or(format!("{prefix}{}", self.uids), str::to_owned);
        }
        if self.objects.contains_key(&key) {
            return Err(Refusal::already_exists(&key));
        }
        if key.plural == "events" && has_long_note {
            return Err(Refusal::invalid(&key, "note: can have at most 1024 characters"));
        }
        metadata.insert("name".to_owned(), json!(key.name));
        if !key.namespace.is_empty() {
            metadata.insert("namespace".to_owned(), json!(key.namespace));
        }
        for field in ["resourceVersion", "deletionTimestamp", "managedFields"] {
            metadata.remove(field);
        }
        metadata.insert("uid".to_owned(), json!(format!("00000000-0000-4000-8000-{:012}", self.uids)));
        metadata.insert("creationTimestamp".to_owned(), json!(now()));
        metadata.insert("generation".to_owned(), json!(1));
        object["apiVersion"] = json!(kind.group_version);
        object["kind"] = json!(kind.name);
        if kind.has_status {
            object.as_object_mut().expect("an object, which has metadata").remove("status");
        }
        if key.plural == "jobs" {
            label_pods(&mut object, &key.name);
        }
        Ok(self.commit(&key, object, Happened::Added))
    }

    /// Writes what is to become of an object; of it or of its status, the other one stays.
    pub(crate) fn update(
        &mut self,
        key: &Key,
        mut new: Value,
        is_status: bool,
    ) -> Result<Arc<Value>, Refusal> {
        let old = self.find(key)?;
        check_preconditions(key, &new, &old)?;
        if is_status {
            let status = new["status"].take();
            new = (*old).clone();
            new["status"] = status;
        } else {
            if kind::of(key.plural).has_status {
                restore(&mut new, &old, "status");
            }
            for field in [
                "uid",
                "name",
                "namespace",
                "resourceVersion",
                "creationTimestamp",
                "deletionTimestamp",
                "generation",
            ] {
                restore(&mut new["metadata"], &old["metadata"], field);
            }
        }
        if key.plural == "jobs" && new["spec"]["template"] != old["spec"]["template"] {
            return Err(Refusal::invalid(key, "spec.template: Invalid value: field is immutable"));
        }
        if new == *old {
            return Ok(old);
        }
        if new["spec"] != old["spec"] {
            new["metadata"]["generation"] =
                json!(old["metadata"]["generation"].as_i64().unwrap_or_default() + 1);
        }
        let is_gone = !old["metadata"]["deletionTimestamp"].is_null() && finalizers(&new).is_empty();
        Ok(self.commit(key, new, if is_gone { Happened::Deleted } else { Happened::Modified }))
    }

    /// Server-side apply, of one manager's fields: what it applied before and does not any more goes.
    pub(crate) fn apply(
        &mut self,
        key: &Key,
        manager: &str,
        wanted: Value,
        is_status: bool,
    ) -> Result<Arc<Value>, Refusal> {
        let place = (key.clone(), manager.to_owned(), is_status);
        let written = match self.get(key).cloned() {
            None if is_status => return Err(Refusal::not_found(key)),
            None => self.create(key.clone(), wanted.clone())?,
            Some(old) => {
                let mut new = (*old).clone();
                if let Some(before) = self.applied.get(&place) {
                    prune(&mut new, before, &wanted);
                }
                merge(&mut new, &wanted);
                if is_status {
                    // As the real one does: of a status the version alone is looked at.
                    new["metadata"]["uid"] = old["metadata"]["uid"].clone();
                }
                if is_same(&new, &old, is_status) {
                    // As the real one does: for an object itself without a look at what version it is said to be.
                    if is_status {
                        check_preconditions(key, &new, &old)?;
                    }
                    old
                } else {
                    self.update(key, new, is_status)?
                }
            }
        };
        self.applied.insert(place, wanted);
        Ok(written)
    }

    /// Deletes an object, or lets it wait for its finalizers. Its dependents are left to [`super::garbage`].
    pub(crate) fn delete(&mut self, key: &Key, options: &Value) -> Result<Option<Arc<Value>>, Refusal> {
        let old = self.find(key)?;
        for field in ["uid", "resourceVersion"] {
            let wanted = &options["preconditions"][field];
            if !wanted.is_null() && *wanted != old["metadata"][field] {
                return Err(Refusal::conflict(key, "the precondition does not hold"));
            }
        }
        let mut new = (*old).clone();
        let mut finalizers = finalizers(&new);
        if options["propagationPolicy"] == "Foreground" && !finalizers.iter().any(|one| one == FOREGROUND) {
            finalizers.push(FOREGROUND.to_owned());
        }
        if finalizers.is_empty() {
            self.commit(key, new, Happened::Deleted);
            return Ok(None);
        }
        new["metadata"]["finalizers"] = json!(finalizers);
        if new["metadata"]["deletionTimestamp"].is_null() {
            new["metadata"]["deletionTimestamp"] = json!(now());
            new["metadata"]["deletionGracePeriodSeconds"] = json!(0);
        }
        if new == *old { Ok(Some(old)) } else { Ok(Some(self.commit(key, new, Happened::Modified))) }
    }

    fn commit(&mut self, key: &Key, mut object: Value, happened: Happened) -> Arc<Value> {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let object = Arc::new(object);
        let is_there = happened != Happened::Deleted;
        for uid in owners(&object).filter_map(|owner| owner["uid"].as_str()) {
            let dependents = self.dependents.entry(uid.to_owned()).or_default();
            _ = if is_there { dependents.insert(key.clone()) } else { dependents.remove(key) };
        }
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        if is_there {
            self.objects.insert(key.clone(), Arc::clone(&object));
            self.places.insert(uid, key.clone());
        } else {
            self.objects.remove(key);
            self.places.remove(&uid);
            let mine =
                self.applied.range((key.clone(), String::new(), false)..).map(|(place, _)| place.clone());
            for place in mine.take_while(|(applied, ..)| applied == key).collect::<Vec<_>>() {
                self.applied.remove(&place);
            }
        }
        self.history.push(Change {
            version: self.version,
            plural: key.plural,
            happened,
            object: Arc::clone(&object),
        });
        object
    }
}

/// The longest note of an event, in bytes.
const MAX_NOTE: usize = 1024;

/// Stands while dependents are deleted first.
pub(crate) const FOREGROUND: &str = "foregroundDeletion";

/// The time as Kubernetes writes it.
pub(crate) fn now() -> String {
    Timestamp::from_second(Timestamp::now().as_second()).expect("a second of now").to_string()
}

pub(crate) fn finalizers(object: &Value) -> Vec<String> {
    let all = object["metadata"]["finalizers"].as_array().into_iter().flatten();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

pub(crate) fn owners(object: &Value) -> impl Iterator<Item = &Value> {
    object["metadata"]["ownerReferences"].as_array().into_iter().flatten()
}

fn check_preconditions(key: &Key, new: &Value, old: &Value) -> Result<(), Refusal> {
    for (field, word) in [("resourceVersion", "the object has been modified"), ("uid", "the uid is another")]
    {
        let (wanted, there) = (&new["metadata"][field], &old["metadata"][field]);
        if wanted.as_str().is_some_and(|wanted| !wanted.is_empty() && wanted != there) {
            return Err(Refusal::conflict(key, word));
        }
    }
    Ok(())
}

/// As the Job's defaults do, by which its pods are found.
fn label_pods(job: &mut Value, name: &str) {
    let uid = job["metadata"]["uid"].clone();
    let labels = &mut job["spec"]["template"]["metadata"]["labels"];
    labels["batch.kubernetes.io/job-name"] = json!(name);
    labels["batch.kubernetes.io/controller-uid"] = uid;
}
