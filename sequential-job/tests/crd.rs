//! The custom resource definition and the samples, against each other and against the controller's own checks.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};

use kube::CustomResourceExt;
use kube::core::cel::Validator;
use sequential_job::resource::{SequentialJob, crd_yaml};
use sequential_job::validate::{describe, faults};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The sequences in the files of a directory, by the files' names.
fn samples(directory: &str) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(directory)).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            continue;
        }
        let name = entry.path().file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(entry.path()).unwrap();
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        found.extend(
            documents.into_iter().filter(|one| one["kind"] == "SequentialJob").map(|one| (name.clone(), one)),
        );
    }
    assert!(found.len() > 3, "{directory}: {found:?}");
    found
}

fn schema() -> Value {
    let crd = serde_json::to_value(SequentialJob::crd()).unwrap();
    crd.pointer("/spec/versions/0/schema/openAPIV3Schema").unwrap().clone()
}

fn cel_refuses(schema: &Value, sample: &Value) -> Option<String> {
    Validator::new().validate(schema, sample, None).err().map(|errors| format!("{errors:?}"))
}

fn controller_refuses(sample: &Value) -> Option<String> {
    match serde_json::from_value::<SequentialJob>(sample.clone()) {
        Err(error) => Some(error.to_string()),
        Ok(sequence) => Some(describe(&faults(&sequence))).filter(|faults| !faults.is_empty()),
    }
}

#[test]
fn the_installed_definition_is_what_the_types_say() {
    let installed = fs::read_to_string(root().join("k8s/sequential-job/2-crd.yaml")).unwrap();
    assert!(installed == crd_yaml().unwrap(), "it is stale: `just crd` writes it anew");
}

/// `kubectl apply` keeps a copy of what it applies in an annotation, and all annotations have 256 KiB.
#[test]
fn the_definition_is_small_enough_for_kubectl_apply() {
    let size = serde_json::to_string(&SequentialJob::crd()).unwrap().len();
    assert!(size < 200 << 10, "{size} bytes");
}

#[test]
fn the_schema_has_the_containers_of_kubernetes_and_hides_nothing() {
    let schema = schema();
    let container = schema.pointer("/properties/spec/properties/containers/items/properties").unwrap();
    for field in [
        "image",
        "command",
        "args",
        "env",
        "envFrom",
        "resources",
        "volumeMounts",
        "livenessProbe",
        "securityContext",
        "ports",
        "lifecycle",
    ] {
        assert!(container[field].is_object(), "{field}");
    }
    assert!(!schema.to_string().contains("preserve-unknown-fields"));
    let pod = schema.pointer("/properties/spec/properties/template/properties/spec").unwrap();
    assert_eq!(pod["required"], Value::Null, "a template's containers are optional");
    assert!(pod["properties"]["volumes"].is_object());
}

#[test]
fn every_sample_can_run() {
    let schema = schema();
    for (name, sample) in samples("k8s/samples") {
        assert_eq!(cel_refuses(&schema, &sample), None, "{name}");
        assert_eq!(controller_refuses(&sample), None, "{name}");
    }
}

/// What only the webhook and the controller know begins with `webhook-`; a request above its limit is left to the rules,
/// and to the API server when it is given the Job.
#[test]
fn every_invalid_sample_is_refused() {
    let schema = schema();
    for (name, sample) in samples("k8s/samples/invalid") {
        let (by_rule, by_controller) = (cel_refuses(&schema, &sample), controller_refuses(&sample));
        match name.as_str() {
            "request-above-limit" => {
                assert!(by_rule.is_some() && by_controller.is_none(), "{name}: {by_rule:?}")
            }
            _ => assert!(by_controller.is_some(), "{name}"),
        }
        if name.starts_with("webhook-") {
            assert_eq!(by_rule, None, "{name}: the schema knows it already");
        }
    }
}

#[test]
fn the_rules_of_the_schema_refuse_what_they_are_for() {
    let schema = schema();
    let all = samples("k8s/samples/invalid");
    for (name, message) in [
        ("name-too-long", "metadata.name must be no longer than 63 characters"),
        ("request-above-limit", "a request must be no more than its limit"),
        ("two-sources", "value and valueFrom exclude each other"),
    ] {
        let (_, sample) = all.iter().find(|(one, _)| one == name).unwrap();
        let said = cel_refuses(&schema, sample).unwrap_or_default();
        assert!(said.contains(message), "{name}: {said}");
    }
}
