//! Which objects a list or a watch is of.

use std::collections::HashMap;

use serde_json::Value;

use super::kind::Address;

#[derive(Debug, Clone)]
pub(crate) struct Selector {
    pub(crate) plural: &'static str,
    pub(crate) namespace: Option<String>,
    labels: String,
    fields: String,
}

impl Selector {
    pub(crate) fn of(address: &Address, query: &HashMap<String, String>) -> Self {
        let part = |name: &str| query.get(name).cloned().unwrap_or_default();
        Self {
            plural: address.plural,
            namespace: address.namespace.clone(),
            labels: part("labelSelector"),
            fields: part("fieldSelector"),
        }
    }

    /// Of an object of its kind: labels that are there or have a value, and the name.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        let is_of_namespace =
            self.namespace.as_ref().is_none_or(|namespace| metadata["namespace"] == *namespace);
        let mut labels = self.labels.split(',').filter(|requirement| !requirement.is_empty());
        let mut fields = self.fields.split(',').filter(|requirement| !requirement.is_empty());
        let has_label = |requirement: &str| match requirement.split_once('=') {
            Some((label, value)) => metadata["labels"][label] == value.trim_start_matches('='),
            None => !metadata["labels"][requirement].is_null(),
        };
        let has_field = |requirement: &str| match requirement.split_once('=') {
            Some(("metadata.name", name)) => metadata["name"] == name,
            _ => panic!("no such field selector is served: {requirement}"),
        };
        is_of_namespace && labels.all(has_label) && fields.all(has_field)
    }
}
