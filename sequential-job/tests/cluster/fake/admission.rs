//! Webhooks: what is created or replaced is shown to those that are configured, as to the real one's.

use std::net::SocketAddr;
use std::sync::Arc;

use k8s_openapi::ByteString;
use kube::{Client, Config};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::kind::{self, Address, Key};
use super::refusal::Refusal;
use super::store::Store;

/// What becomes of an object that somebody writes: defaults are filled in, or it is refused. A webhook that cannot be
/// asked is passed over, as its `failurePolicy` says.
pub(crate) async fn review(
    store: &Arc<Store>,
    address: &Address,
    method: &str,
    mut object: Value,
) -> Result<Value, Refusal> {
    let operation = match (method, &address.subresource) {
        ("POST", None) => "CREATE",
        ("PUT", None) => "UPDATE",
        _ => return Ok(object),
    };
    for plural in ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"] {
        let (to, webhooks, old) = store.with(|objects| {
            let configuration = objects.get(&Key::new(plural, "", "sequential-operator"));
            let webhooks = configuration.map(|one| one["webhooks"].clone()).unwrap_or_default();
            let old = address.key().and_then(|key| objects.get(&key).cloned());
            (objects.webhook, webhooks, old)
        });
        for webhook in webhooks.as_array().into_iter().flatten() {
            let is_asked = webhook["rules"][0]["resources"][0] == address.plural;
            let (Some(to), true) = (to, is_asked) else { continue };
            let request = json!({
                "uid": "review", "operation": operation, "userInfo": {}, "dryRun": false,
                "kind": {"group": "batch.example.com", "version": "v1alpha1", "kind": kind::of(address.plural).name},
                "resource": {"group": "batch.example.com", "version": "v1alpha1", "resource": address.plural},
                "name": object["metadata"]["name"], "namespace": address.namespace,
                "object": object, "oldObject": old.as_deref(),
            });
            let Some(response) = ask(to, &webhook["clientConfig"], request).await else { continue };
            if response["allowed"] != true {
                let why = response["status"]["message"].as_str().unwrap_or_default();
                return Err(Refusal::denied(webhook["name"].as_str().unwrap_or_default(), why));
            }
            patch(&mut object, &response);
        }
    }
    Ok(object)
}

/// What a webhook answers to who trusts nobody but the authority that it told of; none where that cannot be.
async fn ask(to: SocketAddr, webhook: &Value, request: Value) -> Option<Value> {
    let authority: ByteString = serde_json::from_value(webhook["caBundle"].clone()).ok()?;
    let service = &webhook["service"];
    let mut config = Config::new(format!("https://{to}").parse().ok()?);
    let roots = CertificateDer::pem_slice_iter(&authority.0).map(|one| Some(one.ok()?.to_vec()));
    config.root_cert = roots.collect();
    let [name, namespace] = ["name", "namespace"].map(|field| service[field].as_str());
    config.tls_server_name = Some(format!("{}.{}.svc", name?, namespace?));
    let client = Client::try_from(config).ok()?;
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
    let post = http::Request::post(service["path"].as_str()?).header("Content-Type", "application/json");
    let mut answer: Value = client.request(post.body(review.to_string().into_bytes()).ok()?).await.ok()?;
    Some(answer["response"].take())
}

fn patch(object: &mut Value, response: &Value) {
    let Some(encoded) = response.get("patch").filter(|patch| !patch.is_null()) else { return };
    // A patch in a response is bytes, as they are anywhere: base64, or as kube writes them, an array.
    let bytes: Vec<u8> = serde_json::from_value::<ByteString>(encoded.clone())
        .map(|bytes| bytes.0)
        .or_else(|_| serde_json::from_value(encoded.clone()))
        .expect("a patch");
    let operations: json_patch::Patch = serde_json::from_slice(&bytes).expect("a JSON patch");
    json_patch::patch(object, &operations).expect("a patch that fits");
}
