//! The operator's manifests in `k8s/sequential-job`: what their schemas cannot say.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// All documents, in the order in which kubectl applies them.
fn documents() -> Vec<Value> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../k8s/sequential-job");
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read =
        |file: &_| -> Vec<Value> { serde_saphyr::from_multiple(&fs::read_to_string(file).unwrap()).unwrap() };
    files.iter().flat_map(read).collect()
}

fn one(kind: &str) -> Value {
    let mut found: Vec<_> = documents().into_iter().filter(|document| document["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "{kind}");
    found.remove(0)
}

const NAMESPACE: &str = "sequential-operator-system";

#[test]
fn what_others_need_comes_first() {
    let kinds: Vec<_> = documents().into_iter().map(|document| document["kind"].clone()).collect();
    let place = |kind: &str| kinds.iter().position(|one| one == kind).unwrap();
    assert_eq!(place("Namespace"), 0);
    assert!(place("CustomResourceDefinition") < place("Deployment"));
    assert!(
        place("ValidatingWebhookConfiguration") < place("Deployment"),
        "at its start it gives it its authority"
    );
    assert!(
        place("ServiceAccount") < place("Deployment") && place("ClusterRoleBinding") < place("Deployment")
    );
    for document in documents() {
        let cluster_wide = document["metadata"]["namespace"].is_null();
        let is_expected = ["Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"]
            .into_iter()
            .chain(["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"])
            .any(|kind| document["kind"] == kind);
        assert_eq!(cluster_wide, is_expected, "{}", document["kind"]);
        assert!(cluster_wide || document["metadata"]["namespace"] == NAMESPACE);
        assert_eq!(
            document["metadata"]["labels"]["app.kubernetes.io/part-of"], "k8s-pipe",
            "{}",
            document["kind"]
        );
    }
}

#[test]
fn its_pods_are_restricted_and_have_limits() {
    assert_eq!(one("Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
    let deployment = one("Deployment");
    assert_eq!(deployment["metadata"]["name"], "sequential-operator-controller-manager");
    assert_eq!(deployment["spec"]["replicas"], 2);
    let pod = &deployment["spec"]["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"], json!({"type": "RuntimeDefault"}));
    assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() > 10);
    let container = &pod["containers"][0];
    let expected = json!({
        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
    });
    assert_eq!(container["securityContext"], expected);
    for kind in ["requests", "limits"] {
        assert!(
            container["resources"][kind]["cpu"].is_string()
                && container["resources"][kind]["memory"].is_string()
        );
    }
    assert_eq!(container["image"], format!("k8s-pipe/sequential-job:{}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn its_rights_are_named_one_by_one() {
    for document in documents() {
        for rule in document["rules"].as_array().into_iter().flatten() {
            assert!(!rule.to_string().contains('*'), "{rule}");
            let writes =
                rule["verbs"].as_array().unwrap().iter().any(|verb| verb == "update" || verb == "get");
            if rule["resources"][0] == "secrets" && writes {
                assert_eq!(rule["resourceNames"], json!(["sequential-operator-webhook-cert"]));
            }
        }
    }
}

#[test]
fn the_webhook_is_where_its_configurations_say() {
    let service = one("Service");
    let pod = one("Deployment")["spec"]["template"].clone();
    let selector = service["spec"]["selector"].as_object().unwrap();
    assert!(selector.iter().all(|(key, value)| pod["metadata"]["labels"][key] == *value));
    let port = &service["spec"]["ports"][0];
    let ports = pod["spec"]["containers"][0]["ports"].as_array().unwrap();
    assert!(port["port"] == 443 && ports.iter().any(|one| one["name"] == port["targetPort"]));
    for (kind, path) in
        [("MutatingWebhookConfiguration", "/mutate"), ("ValidatingWebhookConfiguration", "/validate")]
    {
        let webhook = one(kind)["webhooks"][0].clone();
        let expected = json!({"name": service["metadata"]["name"], "namespace": NAMESPACE, "path": path});
        assert_eq!(webhook["clientConfig"]["service"], expected, "{kind}");
        assert_eq!(
            (&webhook["sideEffects"], &webhook["failurePolicy"]),
            (&json!("None"), &json!("Ignore")),
            "{kind}"
        );
    }
}

#[test]
fn the_program_knows_the_settings_that_it_is_given() {
    let help = Command::new(env!("CARGO_BIN_EXE_sequential-job-controller")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let deployment = one("Deployment");
    for variable in deployment["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        assert!(help.contains(&format!("[env: {name}")), "{name}: {help}");
    }
}
