//! The webhook as an API server finds it: by the authority that the controllers tell it.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use sequential_job::certificate::SECRET;
use sequential_job::resource::{Phase, SequentialJob};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::controller::Controller;
use crate::fake::{Call, Door, Fault};
use crate::sequences::{OK, is_over, sequence};

const CONFIGURATION: &str = "sequential-operator";

/// Any port.
const WEBHOOK: [&str; 2] = ["--webhook-listen", "127.0.0.1:0"];

/// The configurations that are installed, for this namespace.
async fn install(cluster: &Cluster) {
    let (client, namespace) = cluster.client();
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../k8s/sequential-job/4-webhook.yaml");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    for mut one in serde_saphyr::from_multiple::<Value>(&manifest).unwrap() {
        let parameters = PostParams::default();
        if one["kind"] == "Service" {
            continue;
        }
        one["webhooks"][0]["clientConfig"]["service"]["namespace"] = json!(namespace);
        if one["kind"] == "MutatingWebhookConfiguration" {
            let api = Api::<MutatingWebhookConfiguration>::all(client.clone());
            api.create(&parameters, &serde_json::from_value(one).unwrap()).await.unwrap();
        } else {
            let api = Api::<ValidatingWebhookConfiguration>::all(client.clone());
            api.create(&parameters, &serde_json::from_value(one).unwrap()).await.unwrap();
        }
    }
}

/// Waits until the API server trusts who is in the controllers' Secret.
async fn until_trusted(cluster: &Cluster) {
    let (client, namespace) = cluster.client();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret = await_condition(secrets, SECRET, |one: Option<&Secret>| one.is_some()).await;
    let authority = secret.unwrap().unwrap().data.unwrap().remove("ca.crt").unwrap();
    let is_its = |config: &Option<k8s_openapi::ByteString>| config.as_ref() == Some(&authority);
    let validating = |one: Option<&ValidatingWebhookConfiguration>| {
        one.is_some_and(|one| is_its(&one.webhooks.as_ref().unwrap()[0].client_config.ca_bundle))
    };
    await_condition(Api::all(client.clone()), CONFIGURATION, validating).await.unwrap();
    let mutating = |one: Option<&MutatingWebhookConfiguration>| {
        one.is_some_and(|one| is_its(&one.webhooks.as_ref().unwrap()[0].client_config.ca_bundle))
    };
    await_condition(Api::all(client), CONFIGURATION, mutating).await.unwrap();
}

fn invalid() -> SequentialJob {
    let mut invalid = sequence("invalid", &[OK, OK]);
    let mount = json!([{"name": "none", "mountPath": "/data"}]);
    invalid.spec.containers[1].volume_mounts = serde_json::from_value(mount).unwrap();
    invalid.spec.steps = serde_json::from_value(json!([{"name": "nobody"}])).unwrap();
    invalid
}

async fn is_refused(cluster: &Cluster) {
    match cluster.sequences().create(&PostParams::default(), &invalid()).await {
        Err(kube::Error::Api(status)) => assert_eq!(
            status.message,
            "admission webhook \"validation.batch.example.com\" denied the request: \
             spec.containers[1].volumeMounts[0].name: `none` is no volume of spec.template.spec.volumes; \
             spec.steps[0].name: `nobody` is no container of spec.containers"
        ),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_two_controllers_fills_in_and_refuses_by_one_authority() {
    let Some(cluster) = Cluster::only_fake("lead the webhook's service to this machine").await else {
        return;
    };
    install(&cluster).await;
    let both: [Controller; 2] =
        [cluster.controller_with(&WEBHOOK).await, cluster.controller_with(&WEBHOOK).await];
    until_trusted(&cluster).await;
    for (number, controller) in both.iter().enumerate() {
        cluster.as_fake().route_webhook(controller.webhook().await);
        // Who was not first to write the Secret looks again after a while.
        while !is_answered(&cluster, &format!("asks-{number}")).await {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        is_refused(&cluster).await;
        let mut plain = sequence(&format!("plain-{number}"), &[OK]);
        plain.spec.backoff_limit = None;
        let made = cluster.create(&plain).await.spec;
        assert_eq!((made.backoff_limit, made.suspend), (Some(6), Some(false)));
        let restart = made.template.and_then(|template| template.spec?.restart_policy);
        assert_eq!(restart.as_deref(), Some("Never"));
        cluster.until_is(&plain.name_any(), |one| is_over(one, Phase::Succeeded)).await;
    }
    cluster.check(&[]).await;
}

/// Whether the webhook fills in what is not said.
async fn is_answered(cluster: &Cluster, name: &str) -> bool {
    let made = cluster.create(&sequence(name, &[OK])).await;
    cluster.delete(name).await;
    cluster.until_gone(name).await;
    made.spec.suspend.is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_is_killed_at_any_call_for_its_certificate_leaves_none_by_halves() {
    if Cluster::only_fake("kill at a call").await.is_none() {
        return;
    }
    for fault in [Fault::KillBefore, Fault::KillAfter] {
        let runs = stream::iter(1..).map(|nth| is_hit_at(nth, fault)).buffered(2);
        let calls = runs.take_while(|was_hit| std::future::ready(*was_hit)).count().await;
        eprintln!("killed at each of {calls} calls ({fault:?})");
        assert!(calls >= 6, "only {calls} calls");
    }
}

fn is_of_certificate(call: &Call) -> bool {
    ["secrets", "validatingwebhookconfigurations", "mutatingwebhookconfigurations"]
        .contains(&call.address.plural)
}

async fn is_hit_at(nth: usize, fault: Fault) -> bool {
    let cluster = Cluster::fake().await;
    install(&cluster).await;
    let door = cluster.as_fake().door().await;
    let (hit, was_hit) = tokio::sync::watch::channel(false);
    let mut count = 0;
    door.fault(move |call| {
        count += usize::from(is_of_certificate(call));
        if !is_of_certificate(call) || count != nth || *hit.borrow() {
            return Fault::None;
        }
        hit.send_replace(true);
        fault
    });
    tokio::select! {
        () = works_in_the_end(&cluster) => {}
        () = replace(&cluster, &door) => {}
    }
    *was_hit.borrow()
}

async fn works_in_the_end(cluster: &Cluster) {
    until_trusted(cluster).await;
    // The API server has the authority of the Secret, and the certificate is of the same.
    let (client, namespace) = cluster.client();
    let secrets: Api<Secret> = Api::namespaced(client, namespace);
    let secret = secrets.get(SECRET).await.unwrap();
    let material = sequential_job::certificate::Material::from_secret(&secret).unwrap();
    sequential_job::certificate::Resolver::default().set(&material.certificate, &material.key).unwrap();
    let touch = json!({"metadata": {"labels": {"touched": "true"}}});
    secrets.patch(SECRET, &PatchParams::default(), &Patch::Merge(touch)).await.unwrap();
}

/// Starts controllers at this port, another whenever one has died. It never ends.
async fn replace(cluster: &Cluster, door: &Arc<Door>) {
    let arguments = [["--leader-election", "false"], WEBHOOK].concat();
    loop {
        cluster.controller_at(Some(Arc::clone(door)), &arguments).end().await;
    }
}
