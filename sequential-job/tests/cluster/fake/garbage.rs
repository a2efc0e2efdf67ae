//! The garbage collector: what belongs to something that is gone goes too.

use serde_json::{Value, json};

use super::kind::Key;
use super::store::{FOREGROUND, Objects, finalizers, owners};
use crate::history::{Change, Happened};

/// Does what follows from a change.
pub(crate) fn follow(objects: &mut Objects, change: &Change) {
    let metadata = &change.object["metadata"];
    if change.happened == Happened::Deleted {
        for dependent in objects.dependents(text(&metadata["uid"])) {
            delete(objects, &dependent, "Background");
        }
        for owner in owners(&change.object) {
            wait_for_dependents(objects, text(&owner["uid"]));
        }
    } else if !metadata["deletionTimestamp"].is_null() {
        wait_for_dependents(objects, text(&metadata["uid"]));
    } else if change.happened == Happened::Added {
        refuse_orphans(objects, change);
    }
}

/// An owner that waits for its dependents goes once there are none.
fn wait_for_dependents(objects: &mut Objects, uid: &str) {
    let Some(key) = objects.place(uid).cloned() else { return };
    let mut owner = (*objects.find(&key).expect("what has a place")).clone();
    let mut left = finalizers(&owner);
    if !left.iter().any(|one| one == FOREGROUND) {
        return;
    }
    let dependents = objects.dependents(uid);
    for dependent in &dependents {
        delete(objects, dependent, "Foreground");
    }
    if dependents.is_empty() {
        left.retain(|one| one != FOREGROUND);
        owner["metadata"]["finalizers"] = json!(left);
        objects.update(&key, owner, false).expect("an owner that is there");
    }
}

/// Who is made for an owner that is gone already goes as well.
fn refuse_orphans(objects: &mut Objects, change: &Change) {
    if owners(&change.object).any(|owner| objects.place(text(&owner["uid"])).is_none()) {
        delete(objects, &change.key(), "Background");
    }
}

/// Unless it is being deleted, or gone.
fn delete(objects: &mut Objects, key: &Key, policy: &str) {
    if objects.get(key).is_some_and(|object| object["metadata"]["deletionTimestamp"].is_null()) {
        _ = objects.delete(key, &json!({"propagationPolicy": policy}));
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
