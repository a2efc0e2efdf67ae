#![allow(clippy::needless_pass_by_value, reason = "cases read better with their JSON in place")]

use axum::body::{Body, to_bytes};

use super::*;

async fn ask(path: &str, operation: &str, object: Value) -> Value {
    ask_about_change(path, operation, Value::Null, object).await
}

async fn ask_about_change(path: &str, operation: &str, old: Value, object: Value) -> Value {
    let group = json!({"group": "batch.example.com", "version": "v1alpha1", "kind": "SequentialJob"});
    let resource = json!({"group": "batch.example.com", "version": "v1alpha1", "resource": "sequentialjobs"});
    let review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "r", "kind": group, "resource": resource, "name": "sample", "namespace": "default",
            "operation": operation, "userInfo": {}, "object": object, "oldObject": old, "dryRun": true,
        },
    });
    let request = http::Request::post(path)
        .header("Content-Type", "application/json")
        .body(Body::from(review.to_string()))
        .unwrap();
    let response = router().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let review: Value =
        serde_json::from_slice(&to_bytes(response.into_body(), 1 << 20).await.unwrap()).unwrap();
    assert_eq!((&review["kind"], &review["response"]["uid"]), (&json!("AdmissionReview"), &json!("r")));
    review["response"].clone()
}

fn object(spec: Value) -> Value {
    json!({
        "apiVersion": "batch.example.com/v1alpha1", "kind": "SequentialJob",
        "metadata": {"name": "sample"}, "spec": spec,
    })
}

#[tokio::test]
async fn what_can_run_is_allowed() {
    let said = ask("/validate", "CREATE", object(json!({"containers": [{"name": "a", "image": "i"}]}))).await;
    assert_eq!(said["allowed"], true);
}

#[tokio::test]
async fn all_faults_are_told_at_once_with_their_paths() {
    let mount = json!([{"name": "data", "mountPath": "/d"}, {"name": "data", "mountPath": "/d"}]);
    let spec =
        json!({"containers": [{"name": "a", "image": "i", "volumeMounts": mount}], "steps": [{"name": "b"}]});
    let said = ask("/validate", "UPDATE", object(spec)).await;
    assert_eq!(said["allowed"], false);
    assert_eq!(
        said["status"]["message"],
        "spec.containers[0].volumeMounts[0].name: `data` is no volume of spec.template.spec.volumes; \
         spec.containers[0].volumeMounts[1].name: `data` is no volume of spec.template.spec.volumes; \
         spec.containers[0].volumeMounts[1].mountPath: `/d` is there already; \
         spec.steps[0].name: `b` is no container of spec.containers"
    );
}

#[tokio::test]
async fn what_is_being_deleted_is_not_judged() {
    let mut broken = object(json!({"containers": []}));
    assert_eq!(ask("/validate", "UPDATE", broken.clone()).await["allowed"], false);
    broken["metadata"]["deletionTimestamp"] = json!("2024-01-15T10:00:00Z");
    assert_eq!(ask("/validate", "UPDATE", broken).await["allowed"], true);
}

#[tokio::test]
async fn what_came_past_it_may_be_changed_in_all_but_its_spec() {
    let broken = object(json!({"containers": []}));
    let mut finalized = broken.clone();
    finalized["metadata"]["finalizers"] = json!(["batch.example.com/jobs"]);
    assert_eq!(ask_about_change("/validate", "UPDATE", broken.clone(), finalized).await["allowed"], true);
    let other = object(json!({"containers": [], "suspend": true}));
    assert_eq!(ask_about_change("/validate", "UPDATE", broken, other).await["allowed"], false);
}

#[tokio::test]
async fn what_is_not_of_its_type_is_refused_with_the_reason() {
    let said = ask("/validate", "CREATE", object(json!({"containers": "none"}))).await;
    assert_eq!(said["allowed"], false);
    assert!(said["status"]["message"].as_str().unwrap().contains("invalid type"), "{said}");
}

#[tokio::test]
async fn defaults_are_filled_in_and_what_is_said_is_left() {
    let said = ask("/mutate", "CREATE", object(json!({"containers": []}))).await;
    assert_eq!((&said["allowed"], &said["patchType"]), (&json!(true), &json!("JSONPatch")));
    assert_eq!(
        Value::Array(defaults(&object(json!({})))),
        json!([
            {"op": "add", "path": "/spec/backoffLimit", "value": 6},
            {"op": "add", "path": "/spec/suspend", "value": false},
            {"op": "add", "path": "/spec/template", "value": {"spec": {"restartPolicy": "Never"}}},
        ])
    );
    let template = json!({"spec": {"volumes": []}});
    assert_eq!(
        Value::Array(defaults(&object(json!({"backoffLimit": 0, "suspend": true, "template": template})))),
        json!([{"op": "add", "path": "/spec/template/spec/restartPolicy", "value": "Never"}])
    );
    let whole =
        json!({"backoffLimit": 0, "suspend": true, "template": {"spec": {"restartPolicy": "OnFailure"}}});
    let said = ask("/mutate", "CREATE", object(whole)).await;
    assert_eq!((&said["allowed"], &said["patch"]), (&json!(true), &Value::Null));
}
