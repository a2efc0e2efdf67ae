//! Fields of objects: what an apply does to them.

use serde_json::Value;

/// Makes a field of `new` what it is in `old`.
pub(crate) fn restore(new: &mut Value, old: &Value, field: &str) {
    match old.get(field) {
        Some(value) => new[field] = value.clone(),
        None => _ = new.as_object_mut().and_then(|new| new.remove(field)),
    }
}

/// Whether nothing that is applied is another.
pub(crate) fn is_same(new: &Value, old: &Value, is_status: bool) -> bool {
    if is_status {
        return new["status"] == old["status"];
    }
    let mut new = new.clone();
    for field in ["resourceVersion", "uid"] {
        restore(&mut new["metadata"], &old["metadata"], field);
    }
    new == *old
}

/// Takes away what `before` has and `wanted` has not.
pub(crate) fn prune(object: &mut Value, before: &Value, wanted: &Value) {
    let (Some(object), Some(before)) = (object.as_object_mut(), before.as_object()) else { return };
    for (field, value) in before {
        match (object.get_mut(field), wanted.get(field)) {
            (Some(_), None) => _ = object.remove(field),
            (Some(inner), Some(wanted)) => prune(inner, value, wanted),
            (None, _) => {}
        }
    }
}

/// Adds what is wanted: objects by their fields, all else whole.
pub(crate) fn merge(object: &mut Value, wanted: &Value) {
    match (object, wanted) {
        (Value::Object(object), Value::Object(wanted)) => {
            for (field, value) in wanted {
                merge(object.entry(field).or_insert(Value::Null), value);
            }
        }
        (object, wanted) => *object = wanted.clone(),
    }
}
