use anyhow::Context as _;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The name of both configurations.
pub(super) const CONFIGURATION: &str = "sequential-operator";

/// Tells the API server, in all configurations of the webhook that there are, whom to trust.
pub(super) async fn publish(client: &Client, authority: &str) -> anyhow::Result<()> {
    publish_to::<ValidatingWebhookConfiguration>(client, authority).await?;
    publish_to::<MutatingWebhookConfiguration>(client, authority).await
}

async fn publish_to<K>(client: &Client, authority: &str) -> anyhow::Result<()>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let act = || format!("failed to give the {} its authority", K::kind(&()));
    let configurations = Api::<K>::all(client.clone());
    let Some(found) = configurations.get_opt(CONFIGURATION).await.with_context(act)? else { return Ok(()) };
    let operations = operations(&serde_json::to_value(found).with_context(act)?, authority);
    if operations.is_empty() {
        return Ok(());
    }
    let patch: json_patch::Patch = serde_json::from_value(Value::Array(operations)).with_context(act)?;
    configurations
        .patch(CONFIGURATION, &PatchParams::default(), &Patch::Json::<K>(patch))
        .await
        .with_context(act)?;
    Ok(())
}

/// A JSON patch for the webhooks that trust another one; it fails where they are others meanwhile.
pub(super) fn operations(configuration: &Value, authority: &str) -> Vec<Value> {
    let bundle = json!(k8s_openapi::ByteString(authority.as_bytes().to_vec()));
    let webhooks = configuration["webhooks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let others =
        webhooks.iter().enumerate().filter(|(_, webhook)| webhook["clientConfig"]["caBundle"] != bundle);
    others
        .flat_map(|(index, webhook)| {
            [
                json!({"op": "test", "path": format!("/webhooks/{index}/name"), "value": webhook["name"]}),
                json!({"op": "add", "path": format!("/webhooks/{index}/clientConfig/caBundle"), "value": bundle}),
            ]
        })
        .collect()
}
