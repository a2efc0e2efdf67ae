//! What has happened to objects, and what must hold of it whatever happened.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happened {
    Added,
    Modified,
    Deleted,
}

impl Happened {
    /// As a watch calls it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// A change of an object.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) version: u64,
    pub(crate) plural: &'static str,
    pub(crate) happened: Happened,
    pub(crate) object: Arc<Value>,
}

/// What holds of a history: panics where it does not.
///
/// - no two Jobs of a sequence are there at once that have not ended
/// - no two pods of it are there at once that have not ended (of a real cluster pods are not written down)
/// - a Job is made once, or as often as `made` says of it (all others: once)
/// - when a Job is made, the steps before are done
/// - a status never runs backwards
pub(crate) fn check(history: &[Change], made: &[(&str, usize)]) {
    let mut checker = Checker::default();
    for change in history {
        match change.plural {
            "jobs" => checker.job(change),
            "pods" => checker.pod(change),
            "sequentialjobs" => checker.sequence(change),
            _ => {}
        }
    }
    for (job, times) in &checker.made {
        let allowed = made.iter().find(|(name, _)| name == job).map_or(1, |(_, times)| *times);
        assert_eq!(*times, allowed, "job {job} was made {times} times");
    }
}

#[derive(Default)]
struct Checker {
    made: BTreeMap<String, usize>,
    /// Jobs that have not ended, by their owner's uid.
    open: HashMap<String, BTreeSet<String>>,
    /// Pods that have not ended, by their sequence's name.
    pods: HashMap<String, BTreeSet<String>>,
    /// Steps whose last Job completed, by their owner's uid.
    done: HashMap<String, BTreeSet<usize>>,
    /// The last of each sequence, by uid.
    sequences: HashMap<String, Arc<Value>>,
}

impl Checker {
    fn job(&mut self, change: &Change) {
        let job = &change.object;
        let (uid, name) = (text(&job["metadata"]["uid"]), text(&job["metadata"]["name"]));
        let Some(owner) = job["metadata"]["ownerReferences"][0]["uid"].as_str() else { return };
        let index = text(&job["metadata"]["labels"]["batch.example.com/step-index"]);
        let Ok(index) = index.parse::<usize>() else { return };
        let done = self.done.entry(owner.to_owned()).or_default();
        if change.happened == Happened::Added {
            *self.made.entry(name.to_owned()).or_default() += 1;
            let skipped: Vec<usize> = (0..index).filter(|earlier| !done.contains(earlier)).collect();
            assert!(skipped.is_empty(), "job {name} was made before {skipped:?} were done");
            done.remove(&index);
        }
        if is_true(job, "Complete") {
            done.insert(index);
        }
        let open = self.open.entry(owner.to_owned()).or_default();
        if change.happened == Happened::Deleted || is_true(job, "Complete") || is_true(job, "Failed") {
            open.remove(uid);
        } else {
            open.insert(uid.to_owned());
        }
        assert!(open.len() <= 1, "{} jobs at once, with {name}", open.len());
    }

    fn pod(&mut self, change: &Change) {
        let metadata = &change.object["metadata"];
        let Some(sequence) = metadata["labels"]["batch.example.com/sequential-job"].as_str() else { return };
        let open = self.pods.entry(sequence.to_owned()).or_default();
        let has_ended = ["Succeeded", "Failed"].contains(&text(&change.object["status"]["phase"]));
        if has_ended || change.happened == Happened::Deleted {
            open.remove(text(&metadata["uid"]));
        } else {
            open.insert(text(&metadata["uid"]).to_owned());
        }
        assert!(open.len() <= 1, "{} pods at once of {sequence}", open.len());
    }

    fn sequence(&mut self, change: &Change) {
        let uid = text(&change.object["metadata"]["uid"]).to_owned();
        if let Some(before) = self.sequences.insert(uid, Arc::clone(&change.object)) {
            goes_forward(&before, &change.object);
        }
    }
}

/// Of a sequence at two times.
fn goes_forward(before: &Value, now: &Value) {
    let name = text(&now["metadata"]["name"]);
    let (then, status) = (&before["status"], &now["status"]);
    let number = |value: &Value| value.as_i64().unwrap_or_default();
    assert!(number(&status["attempts"]) >= number(&then["attempts"]), "{name} counts backwards");
    let none = Vec::new();
    let steps =
        then["steps"].as_array().unwrap_or(&none).iter().zip(status["steps"].as_array().unwrap_or(&none));
    for (index, (then, step)) in steps.enumerate() {
        let is_same = then["attempt"] == step["attempt"] && !then["attempt"].is_null();
        assert!(!is_same || rank(step) >= rank(then), "step {index} of {name} went back: {then} {step}");
        let is_uid_kept = then["jobUid"].is_null() || then["jobUid"] == step["jobUid"];
        assert!(!is_same || is_uid_kept, "step {index} of {name} changed its job: {then} {step}");
    }
    // A change of the spec or of the annotation takes results back, and so does a Job that was deleted.
    let what = |object: &Value| {
        (object["metadata"]["generation"].clone(), object["status"]["observedRetry"].clone())
    };
    let is_over = |status: &Value| ["Succeeded", "Failed"].contains(&text(&status["phase"]));
    if what(before) == what(now)
        && then["observedGeneration"] == status["observedGeneration"]
        && is_over(then)
    {
        assert_eq!(then["phase"], status["phase"], "{name} had ended");
        assert_eq!(then["completionTime"], status["completionTime"], "{name} had ended");
    }
}

fn rank(step: &Value) -> usize {
    match text(&step["phase"]) {
        "Pending" => 0,
        "Running" => 1,
        _ => 2,
    }
}

/// Whether a condition is.
pub(crate) fn is_true(object: &Value, type_: &str) -> bool {
    let mut all = object["status"]["conditions"].as_array().into_iter().flatten();
    all.any(|condition| condition["type"] == type_ && condition["status"] == "True")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
