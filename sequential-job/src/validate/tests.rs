#![allow(clippy::needless_pass_by_value, reason = "cases read better with their JSON in place")]

use serde_json::{Value, json};

use super::*;

fn sequence(spec: Value) -> SequentialJob {
    serde_json::from_value(json!({
        "apiVersion": "batch.example.com/v1alpha1", "kind": "SequentialJob",
        "metadata": {"name": "sample"}, "spec": spec,
    }))
    .unwrap()
}

fn said(spec: Value) -> Vec<String> {
    faults(&sequence(spec)).iter().map(Fault::to_string).collect()
}

fn container(changes: Value) -> Value {
    let mut container = json!({"name": "one", "image": "busybox"});
    container.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    json!({"containers": [container], "template": {"spec": {"volumes": [{"name": "data"}]}}})
}

#[test]
fn a_plain_sequence_has_no_fault() {
    assert_eq!(said(json!({"containers": [{"name": "one", "image": "busybox"}]})), [""; 0]);
    let mounted = container(json!({"volumeMounts": [{"name": "data", "mountPath": "/data"}]}));
    assert_eq!(said(mounted), [""; 0]);
}

#[test]
fn each_fault_of_a_container_names_its_field() {
    let cases = [
        (json!({"name": "One"}), "spec.containers[0].name: `One` must be a DNS label"),
        (json!({"name": "-"}), "spec.containers[0].name: `-` must be a DNS label"),
        (json!({"image": ""}), "spec.containers[0].image: `` is no image"),
        (
            json!({"ports": [{"containerPort": 0}]}),
            "spec.containers[0].ports[0].containerPort: must be 1 to 65535",
        ),
        (
            json!({"resources": {"limits": {"cpu": "-1"}}}),
            "spec.containers[0].resources.limits.cpu: `-1` is no quantity",
        ),
        (
            json!({"resources": {"requests": {"cpu": "1x"}}}),
            "spec.containers[0].resources.requests.cpu: `1x`",
        ),
        (
            json!({"env": [{"name": "A", "valueFrom": {}}]}),
            "spec.containers[0].env[0].valueFrom: must name one source",
        ),
        (
            json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": ""}}}]}),
            "spec.containers[0].env[0].valueFrom.secretKeyRef.key: must not be empty",
        ),
        (
            json!({"env": [{"name": "A", "value": "a", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]}),
            "spec.containers[0].env[0]: value and valueFrom exclude each other",
        ),
        (
            json!({"volumeMounts": [{"name": "dta", "mountPath": "/data"}]}),
            "spec.containers[0].volumeMounts[0].name: `dta` is no volume of spec.template.spec.volumes",
        ),
        (
            json!({"volumeMounts": [{"name": "data", "mountPath": "/a"}, {"name": "data", "mountPath": "/a"}]}),
            "spec.containers[0].volumeMounts[1].mountPath: `/a` is there already",
        ),
    ];
    for (changes, expected) in cases {
        let said = said(container(changes));
        assert!(said.len() == 1 && said[0].starts_with(expected), "{expected}: {said:?}");
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let said = said(json!({
        "containers": [{"name": "a", "image": "i"}, {"name": "a", "image": ""}],
        "template": {"spec": {
            "containers": [{"name": "b"}], "restartPolicy": "Always",
            "initContainers": [{"name": "a", "image": "i"}], "volumes": [{"name": "v"}, {"name": "v"}],
        }},
        "steps": [{"name": "a", "parallelism": 0}, {"name": "zzz"}, {"name": "a"}],
        "backoffLimit": -1, "activeDeadlineSeconds": 0, "ttlSecondsAfterFinished": -1,
    }));
    let paths: Vec<&str> = said.iter().map(|fault| fault.split(": ").next().unwrap()).collect();
    assert_eq!(
        paths,
        [
            "spec.containers[1].image",
            "spec.containers[1].name",
            "spec.template.spec.initContainers[0].name",
            "spec.template.spec.containers",
            "spec.template.spec.restartPolicy",
            "spec.template.spec.volumes[1].name",
            "spec.steps[0].parallelism",
            "spec.steps[1].name",
            "spec.steps[2].name",
            "spec.backoffLimit",
            "spec.activeDeadlineSeconds",
            "spec.ttlSecondsAfterFinished",
        ],
    );
}

#[test]
fn a_sequence_has_1_to_64_containers() {
    assert_eq!(said(json!({"containers": []})), ["spec.containers: must be 1 to 64, are 0"]);
    let many = |count: usize| -> Vec<Value> {
        (0..count).map(|index| json!({"name": format!("c{index}"), "image": "i"})).collect()
    };
    assert_eq!(said(json!({"containers": many(64)})), [""; 0]);
    assert_eq!(said(json!({"containers": many(65)})), ["spec.containers: must be 1 to 64, are 65"]);
}

#[test]
fn a_name_is_a_labels_value() {
    let mut sequence = sequence(json!({"containers": [{"name": "one", "image": "i"}]}));
    sequence.metadata.name = Some("n".repeat(63));
    assert_eq!(faults(&sequence), []);
    sequence.metadata.name = Some("n".repeat(64));
    assert_eq!(describe(&faults(&sequence)), "metadata.name: must be no longer than 63 characters, has 64");
}

#[test]
fn quantities_are_those_of_kubernetes() {
    for (text, is_one) in [
        ("1", true),
        ("100m", true),
        ("1.5Gi", true),
        (".5", true),
        ("1e3", true),
        ("1E-3", true),
        ("5E", true),
    ]
    .into_iter()
    .chain([
        ("", false),
        ("-1", false),
        ("1.2.3", false),
        ("Gi", false),
        ("1 Gi", false),
        ("1Gib", false),
    ]) {
        let said = said(container(json!({"resources": {"limits": {"memory": text}}})));
        assert_eq!(said.is_empty(), is_one, "{text}: {said:?}");
    }
}
