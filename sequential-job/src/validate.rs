//! All faults of a `SequentialJob` at once, each with the path of its field.
//!
//! The schema and its rules say most of it already; here it is said again, and what they cannot say besides, since the
//! controller must not trust that they were in force when the resource came.

mod container;

use std::collections::BTreeSet;
use std::fmt;

use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use kube::ResourceExt;

use crate::resource::{MAX_CONTAINERS, MAX_NAME, SequentialJob, SequentialJobSpec};

/// A fault, at its field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Such as `spec.containers[1].image`.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Faults as one line.
pub fn describe(faults: &[Fault]) -> String {
    faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("; ")
}

/// All faults of a resource, in the order of its fields; none: it can run.
pub fn faults(sequence: &SequentialJob) -> Vec<Fault> {
    let mut faults = Faults::default();
    let length = sequence.name_any().len();
    if length > MAX_NAME {
        faults.add("metadata.name", format!("must be no longer than {MAX_NAME} characters, has {length}"));
    }
    let spec = &sequence.spec;
    if !spec.unreadable.is_empty() {
        // What the others make of the rest would say nothing.
        for (field, why) in &spec.unreadable {
            faults.add(format!("spec.{field}"), why);
        }
        return faults.0;
    }
    containers(spec, &mut faults);
    template(spec, &mut faults);
    steps(spec, &mut faults);
    let limits = [
        ("backoffLimit", spec.backoff_limit.map(i64::from), 0),
        ("activeDeadlineSeconds", spec.active_deadline_seconds, 1),
        ("ttlSecondsAfterFinished", spec.ttl_seconds_after_finished.map(i64::from), 0),
    ];
    for (field, value, least) in limits {
        faults.at_least(format!("spec.{field}"), value, least);
    }
    faults.0
}

#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Fault { path: path.into(), message: message.into() });
    }

    fn at_least(&mut self, path: String, value: Option<i64>, least: i64) {
        if let Some(value) = value.filter(|value| *value < least) {
            self.add(path, format!("must be at least {least}, is {value}"));
        }
    }

    /// Says of each name that is there already where it is the second time.
    fn duplicates<'a>(&mut self, names: impl Iterator<Item = &'a str>, path: impl Fn(usize) -> String) {
        let mut seen = BTreeSet::new();
        for (index, name) in names.enumerate() {
            if !seen.insert(name) {
                self.add(path(index), format!("`{name}` is there already"));
            }
        }
    }
}

fn containers(spec: &SequentialJobSpec, faults: &mut Faults) {
    let count = spec.containers.len();
    if !(1..=MAX_CONTAINERS).contains(&count) {
        faults.add("spec.containers", format!("must be 1 to {MAX_CONTAINERS}, are {count}"));
    }
    let pod = pod(spec);
    let volumes: BTreeSet<&str> = pod
        .and_then(|pod| pod.volumes.as_deref())
        .unwrap_or_default()
        .iter()
        .map(|volume| volume.name.as_str())
        .collect();
    for (index, container) in spec.containers.iter().enumerate() {
        container::check(container, &volumes, &format!("spec.containers[{index}]"), faults);
    }
    faults.duplicates(spec.containers.iter().map(|container| container.name.as_str()), |index| {
        format!("spec.containers[{index}].name")
    });
    let first = pod.and_then(|pod| pod.init_containers.as_deref()).unwrap_or_default();
    for (index, container) in first.iter().enumerate() {
        let path = format!("spec.template.spec.initContainers[{index}]");
        container::check(container, &volumes, &path, faults);
        if spec.containers.iter().any(|step| step.name == container.name) {
            faults.add(format!("{path}.name"), format!("`{}` is a step's name", container.name));
        }
    }
}

fn pod(spec: &SequentialJobSpec) -> Option<&PodSpec> {
    spec.template.as_ref().and_then(|PodTemplateSpec { spec, .. }| spec.as_ref())
}

fn template(spec: &SequentialJobSpec, faults: &mut Faults) {
    let Some(pod) = pod(spec) else { return };
    if !pod.containers.is_empty() {
        faults.add("spec.template.spec.containers", "must be empty: the steps are spec.containers");
    }
    if let Some(policy) = pod.restart_policy.as_deref()
        && !["Never", "OnFailure"].contains(&policy)
    {
        faults.add("spec.template.spec.restartPolicy", format!("must be Never or OnFailure, is `{policy}`"));
    }
    let volumes = pod.volumes.as_deref().unwrap_or_default();
    faults.duplicates(volumes.iter().map(|volume| volume.name.as_str()), |index| {
        format!("spec.template.spec.volumes[{index}].name")
    });
}

fn steps(spec: &SequentialJobSpec, faults: &mut Faults) {
    for (index, step) in spec.steps.iter().enumerate() {
        let path = format!("spec.steps[{index}]");
        if !spec.containers.iter().any(|container| container.name == step.name) {
            faults.add(format!("{path}.name"), format!("`{}` is no container of spec.containers", step.name));
        }
        faults.at_least(format!("{path}.parallelism"), step.parallelism.map(i64::from), 1);
        faults.at_least(format!("{path}.completions"), step.completions.map(i64::from), 1);
    }
    faults.duplicates(spec.steps.iter().map(|step| step.name.as_str()), |index| {
        format!("spec.steps[{index}].name")
    });
}

#[cfg(test)]
mod tests;
