//! Kubernetes' own types as part of the resource's schema: without their descriptions (`kubectl apply` keeps a copy of
//! what it applies in an annotation of 256 KiB), and with the rules that the API server has for pods, as far as a schema
//! or CEL can say them.

use k8s_openapi::api::core::v1::{Container, PodTemplateSpec};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// What Kubernetes takes for a quantity, but for a sign: none here may be negative.
pub(crate) const QUANTITY: &str =
    r"^\+?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?[0-9]+))?$";

/// A DNS label.
const LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// The schema of `spec.containers`.
pub(crate) fn containers(_: &mut SchemaGenerator) -> Schema {
    let container = container(true);
    to_schema(json!({
        "description": "The steps: each container runs as a Job of its own, once the one before has completed.",
        "type": "array",
        "minItems": 1,
        "maxItems": 64,
        "items": container,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }))
}

/// The schema of `spec.template`.
pub(crate) fn template(_: &mut SchemaGenerator) -> Schema {
    let mut template = inlined::<PodTemplateSpec>();
    let labels = json!({"type": "object", "additionalProperties": {"type": "string"}});
    template["properties"]["metadata"] =
        json!({"type": "object", "properties": {"labels": labels.clone(), "annotations": labels}});
    let spec = &mut template["properties"]["spec"];
    if let Some(required) = spec["required"].as_array_mut() {
        required.retain(|field| field != "containers");
    }
    let properties = &mut spec["properties"];
    // They are the steps'; a template never has the other.
    properties["containers"] = json!({"type": "array", "maxItems": 0, "items": {"type": "object"}});
    remove(properties, "ephemeralContainers");
    properties["initContainers"]["items"] = container(false);
    properties["restartPolicy"]["enum"] = json!(["Never", "OnFailure"]);
    template["description"] = json!("What the pods of all steps share; its own containers stay empty.");
    to_schema(template)
}

/// A container: of a step, or one that runs before each.
fn container(is_step: bool) -> Value {
    let mut container = inlined::<Container>();
    let properties = &mut container["properties"];
    properties["name"] = json!({"type": "string", "minLength": 1, "maxLength": 63, "pattern": LABEL});
    properties["image"] = json!({"type": "string", "minLength": 1, "pattern": r"^\S+$"});
    let port = json!({"type": "integer", "format": "int32", "minimum": 1, "maximum": 65535});
    properties["ports"]["items"]["properties"]["containerPort"] = port;
    properties["volumeMounts"]["items"]["properties"]["mountPath"]["minLength"] = json!(1);
    properties["env"]["items"]["properties"]["name"]["minLength"] = json!(1);
    // The API server bounds what all rules together may cost, at the largest object that the schema allows.
    properties["env"]["maxItems"] = json!(512);
    if is_step {
        properties["env"]["items"]["x-kubernetes-validations"] = json!([{
            "rule": "!(has(self.valueFrom) && has(self.value) && self.value != '')",
            "message": "value and valueFrom exclude each other",
        }]);
        properties["resources"]["x-kubernetes-validations"] = json!([{
            "rule": "!has(self.requests) || !has(self.limits) || ['cpu', 'memory', 'ephemeral-storage'].all(name, \
                !(name in self.requests) || !(name in self.limits) || \
                quantity(string(self.requests[name])).compareTo(quantity(string(self.limits[name]))) <= 0)",
            "message": "a request must be no more than its limit",
        }]);
    }
    let sources = &mut properties["env"]["items"]["properties"]["valueFrom"];
    for (source, name) in [
        ("secretKeyRef", "name"),
        ("secretKeyRef", "key"),
        ("configMapKeyRef", "name"),
        ("configMapKeyRef", "key"),
    ] {
        sources["properties"][source]["properties"][name]["minLength"] = json!(1);
    }
    sources["minProperties"] = json!(1);
    sources["maxProperties"] = json!(1);
    resources(&mut properties["resources"]);
    if is_step {
        container["required"] = json!(["name", "image"]);
    }
    container
}

fn resources(resources: &mut Value) {
    for kind in ["limits", "requests"] {
        let quantities = &mut resources["properties"][kind];
        quantities["maxProperties"] = json!(32);
        quantities["additionalProperties"] = json!({
            "x-kubernetes-int-or-string": true,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": QUANTITY,
            "maxLength": 32,
        });
    }
}

/// The schema of a type of Kubernetes, whole and without descriptions.
fn inlined<T: JsonSchema>() -> Value {
    let mut settings = schemars::generate::SchemaSettings::openapi3();
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    remove(&mut schema, "title");
    strip(&mut schema);
    schema
}

/// Takes descriptions and defaults away, but not properties of these names.
fn strip(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    for word in ["description", "default"] {
        object.remove(word);
    }
    for (word, value) in object {
        match word.as_str() {
            "properties" => value.as_object_mut().into_iter().flat_map(Map::values_mut).for_each(strip),
            "items" | "additionalProperties" => strip(value),
            _ => {}
        }
    }
}

fn remove(value: &mut Value, key: &str) {
    if let Some(object) = value.as_object_mut() {
        object.remove(key);
    }
}

fn to_schema(value: Value) -> Schema {
    Schema::try_from(value).expect("an object is a schema")
}
