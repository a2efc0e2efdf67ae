//! `k8s/multi-node`: the manifests of `k8s`, patched for stages on several nodes.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use end_to_end::STAGES;
use serde_json::{Value, json};

use crate::directory::{documents, documents_of, files, is_applied, string};
use crate::docs::has_kubectl;

type Documents = BTreeMap<(String, String), Value>;

fn by_name(documents: Vec<Value>) -> Documents {
    let key = |one: &Value| (string(&one["kind"]), string(&one["metadata"]["name"]));
    documents.into_iter().map(|one| (key(&one), one)).collect()
}

/// What `kubectl apply -f k8s` applies.
fn one_node() -> Documents {
    by_name(files().iter().filter(|file| is_applied(file)).flat_map(|file| documents_of(file)).collect())
}

/// What kubectl makes of the patches.
fn several_nodes() -> Documents {
    let mut kubectl = Command::new("kubectl");
    kubectl.args(["kustomize", "--load-restrictor", "LoadRestrictionsNone", "k8s/multi-node"]);
    let output = kubectl.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    by_name(documents(std::str::from_utf8(&output.stdout).unwrap()).unwrap())
}

fn pod_of(document: &mut Value) -> &mut Value {
    let place = if document["kind"] == "CronJob" {
        "/spec/jobTemplate/spec/template/spec"
    } else {
        "/spec/template/spec"
    };
    document.pointer_mut(place).unwrap()
}

fn take(value: &mut Value, key: &str) -> Value {
    value.as_object_mut().unwrap().remove(key).unwrap_or(Value::Null)
}

/// Whatever else it does to the manifests would be a second copy of a decision.
#[test]
fn several_nodes_change_the_claim_the_replicas_and_where_pods_go_and_nothing_else() {
    if !has_kubectl() {
        return;
    }
    let (mut one, mut several) = (one_node(), several_nodes());
    let claim = ("PersistentVolumeClaim".to_owned(), "storage".to_owned());
    for (documents, mode) in [(&mut one, "ReadWriteOnce"), (&mut several, "ReadWriteMany")] {
        assert_eq!(take(&mut documents.get_mut(&claim).unwrap()["spec"], "accessModes"), json!([mode]));
    }
    let job = ("CronJob".to_owned(), "getdata".to_owned());
    assert!(take(pod_of(one.get_mut(&job).unwrap()), "affinity").is_object());
    let page = ("Deployment".to_owned(), "dashboard".to_owned());
    assert!(take(pod_of(one.get_mut(&page).unwrap()), "affinity").is_object());
    for stage in STAGES {
        let key = ("Deployment".to_owned(), stage.name.to_owned());
        let (before, after) = (one.get_mut(&key).unwrap(), several.get_mut(&key).unwrap());
        assert!(take(pod_of(before), "affinity").is_object(), "{}", stage.name);
        assert_eq!(take(&mut before["spec"], "replicas"), 1, "{}", stage.name);
        assert_eq!(
            take(&mut after["spec"], "replicas"),
            2,
            "{}: one is left when a node is lost",
            stage.name
        );
        let spread = json!([{
            "topologyKey": "kubernetes.io/hostname",
            "maxSkew": 1,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": after["spec"]["selector"]["matchLabels"]},
        }]);
        assert_eq!(take(pod_of(after), "topologySpreadConstraints"), spread, "{}", stage.name);
    }
    assert_eq!(several, one);
}
