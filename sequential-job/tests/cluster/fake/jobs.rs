//! The Job controller and its one node: a Job has one pod, which does what its container's arguments say.
//!
//! `--exit CODE` ends with this code, `--message TEXT` with this termination message, and `--hang` not at all, unless the
//! test ends it. Each change of a Job is a write of its own, as the real one makes them.

use serde_json::{Value, json};

use super::kind::Key;
use super::store::{Objects, finalizers, now};

/// Stands until the node has ended a pod that is deleted.
const NODE: &str = "fake/node";

/// How a step ends.
#[derive(Debug, Clone)]
pub(crate) struct Exit {
    pub(crate) code: i64,
    pub(crate) message: String,
}

/// What the arguments of a Job's container say.
fn script(job: &Value) -> Option<Exit> {
    let args =
        job["spec"]["template"]["spec"]["containers"][0]["args"].as_array().cloned().unwrap_or_default();
    let args: Vec<&str> = args.iter().filter_map(Value::as_str).collect();
    let after = |flag: &str| args.iter().skip_while(|arg| **arg != flag).nth(1).copied();
    if args.contains(&"--hang") {
        return None;
    }
    let code = after("--exit").map_or(0, |code| code.parse().expect("--exit CODE"));
    Some(Exit { code, message: after("--message").unwrap_or_default().to_owned() })
}

/// One step of the Job's life, if there is one to be made now.
pub(crate) fn advance(objects: &mut Objects, key: &Key) {
    let Some(job) = objects.get(key).map(|job| (**job).clone()) else { return };
    let is_ended = condition(&job, "Complete") || condition(&job, "Failed");
    if is_ended || !job["metadata"]["deletionTimestamp"].is_null() {
        return;
    }
    let is_started = !job["status"]["startTime"].is_null();
    if job["spec"]["suspend"] == true {
        if is_started || !condition(&job, "Suspended") {
            suspend(objects, key, job);
        }
    } else if !is_started {
        start(objects, key, job);
    } else if condition(&job, "SuccessCriteriaMet") || condition(&job, "FailureTarget") {
        if !objects.are_pods_held {
            conclude(objects, key, job);
        }
    } else if let Some(exit) = script(&job) {
        exit_with(objects, key, &exit);
    }
}

/// Ends a pod that is being deleted, unless the test holds it.
pub(crate) fn end_deleted(objects: &mut Objects, key: &Key) {
    let Some(pod) = objects.get(key).map(|pod| (**pod).clone()) else { return };
    let mut left = finalizers(&pod);
    if objects.are_pods_held
        || pod["metadata"]["deletionTimestamp"].is_null()
        || !left.iter().any(|one| one == NODE)
    {
        return;
    }
    left.retain(|one| one != NODE);
    let mut pod = pod;
    pod["metadata"]["finalizers"] = json!(left);
    objects.update(key, pod, false).expect("a pod that is there");
}

fn suspend(objects: &mut Objects, key: &Key, mut job: Value) {
    for pod in pods(objects, &job) {
        objects.delete(&pod, &Value::Null).expect("a pod that is there");
    }
    job["status"] = json!({"active": 0, "conditions": [{"type": "Suspended", "status": "True", "lastTransitionTime": now()}]});
    write(objects, key, job);
}

fn start(objects: &mut Objects, key: &Key, mut job: Value) {
    let template = &job["spec"]["template"];
    let owner = json!({
        "apiVersion": "batch/v1", "kind": "Job", "name": key.name, "uid": job["metadata"]["uid"], "controller": true,
        "blockOwnerDeletion": true,
    });
    let pod = json!({
        "metadata": {
            "generateName": format!("{}-", key.name), "labels": template["metadata"]["labels"], "ownerReferences": [owner],
            "finalizers": [NODE],
        },
        "spec": template["spec"],
    });
    objects.create(Key::new("pods", &key.namespace, ""), pod).expect("a pod of a new name");
    job["status"] = json!({"active": 1, "ready": 0, "startTime": now()});
    write(objects, key, job);
}

/// Ends the pod of a Job that runs, and says to its Job that it is about to end.
pub(crate) fn exit_with(objects: &mut Objects, key: &Key, exit: &Exit) {
    let mut job = (*objects.find(key).expect("a job to end")).clone();
    let container = job["spec"]["template"]["spec"]["containers"][0]["name"].clone();
    for pod in pods(objects, &job) {
        let mut object = (*objects.find(&pod).expect("a pod that is there")).clone();
        if !object["metadata"]["deletionTimestamp"].is_null() {
            continue;
        }
        let reason = if exit.code == 0 { "Completed" } else { "Error" };
        let ended =
            json!({"exitCode": exit.code, "reason": reason, "message": exit.message, "finishedAt": now()});
        let phase = if exit.code == 0 { "Succeeded" } else { "Failed" };
        object["status"] = json!({"phase": phase, "containerStatuses": [
            {"name": container, "state": {"terminated": ended}, "ready": false, "restartCount": 0, "image": "", "imageID": ""},
        ]});
        objects.update(&pod, object, true).expect("a pod that is there");
    }
    let (type_, reason) = if exit.code == 0 {
        ("SuccessCriteriaMet", "CompletionsReached")
    } else {
        ("FailureTarget", "BackoffLimitExceeded")
    };
    job["status"]["conditions"] = json!([outcome(type_, reason)]);
    write(objects, key, job);
}

fn conclude(objects: &mut Objects, key: &Key, mut job: Value) {
    let mut conditions = job["status"]["conditions"].as_array().cloned().unwrap_or_default();
    job["status"]["active"] = json!(0);
    if condition(&job, "SuccessCriteriaMet") {
        conditions.push(outcome("Complete", "CompletionsReached"));
        job["status"]["completionTime"] = json!(now());
        job["status"]["succeeded"] = json!(1);
    } else {
        conditions.push(outcome("Failed", "BackoffLimitExceeded"));
        job["status"]["failed"] = json!(1);
    }
    job["status"]["conditions"] = json!(conditions);
    write(objects, key, job);
}

fn outcome(type_: &str, reason: &str) -> Value {
    let message = if reason == "BackoffLimitExceeded" {
        "Job has reached the specified backoff limit"
    } else {
        "Reached expected number of succeeded pods"
    };
    json!({
        "type": type_, "status": "True", "reason": reason, "message": message,
        "lastTransitionTime": now(), "lastProbeTime": now(),
    })
}

fn pods(objects: &Objects, job: &Value) -> Vec<Key> {
    objects.dependents(job["metadata"]["uid"].as_str().unwrap_or_default())
}

fn write(objects: &mut Objects, key: &Key, job: Value) {
    objects.update(key, job, true).expect("a job that nobody else has in hand");
}

fn condition(object: &Value, type_: &str) -> bool {
    let mut all = object["status"]["conditions"].as_array().into_iter().flatten();
    all.any(|condition| condition["type"] == type_ && condition["status"] == "True")
}
