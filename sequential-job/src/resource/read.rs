use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::SequentialJobSpec;

/// Any object can be read: one spec that cannot be would break the list, and the watch, of all. What is wrong with its
/// fields is kept, and such a spec is refused as any other that cannot run.
impl<'de> Deserialize<'de> for SequentialJobSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields { values: Map::deserialize(deserializer)?, unreadable: Vec::new() };
        let spec = Self {
            containers: fields.take("containers"),
            template: fields.take("template"),
            backoff_limit: fields.take("backoffLimit"),
            active_deadline_seconds: fields.take("activeDeadlineSeconds"),
            ttl_seconds_after_finished: fields.take("ttlSecondsAfterFinished"),
            suspend: fields.take("suspend"),
            steps: fields.take("steps"),
            unreadable: Vec::new(),
        };
        Ok(Self { unreadable: fields.unreadable, ..spec })
    }
}

struct Fields {
    values: Map<String, Value>,
    unreadable: Vec<(String, String)>,
}

impl Fields {
    /// A field's value; its default where it has none, or one that cannot be read.
    fn take<T: DeserializeOwned + Default>(&mut self, name: &str) -> T {
        let value = self.values.remove(name).filter(|value| !value.is_null());
        value.map(serde_json::from_value).transpose().map(Option::unwrap_or_default).unwrap_or_else(|error| {
            self.unreadable.push((name.to_owned(), error.to_string()));
            T::default()
        })
    }
}
