use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, EnvVar, EnvVarSource, ResourceRequirements};

use super::Faults;

/// Checks a container, whose field is `path`, in a pod that has `volumes`.
pub(super) fn check(container: &Container, volumes: &BTreeSet<&str>, path: &str, faults: &mut Faults) {
    if !is_label(&container.name) {
        faults.add(
            format!("{path}.name"),
            format!(
                "`{}` must be a DNS label: up to 63 of a-z, 0-9 and -, no - at either end",
                container.name
            ),
        );
    }
    let image = container.image.as_deref().unwrap_or_default();
    if image.is_empty() || image.contains(char::is_whitespace) {
        faults.add(format!("{path}.image"), format!("`{image}` is no image"));
    }
    for (index, port) in container.ports.as_deref().unwrap_or_default().iter().enumerate() {
        if !(1..=65535).contains(&port.container_port) {
            let message = format!("must be 1 to 65535, is {}", port.container_port);
            faults.add(format!("{path}.ports[{index}].containerPort"), message);
        }
    }
    for (index, variable) in container.env.as_deref().unwrap_or_default().iter().enumerate() {
        check_variable(variable, &format!("{path}.env[{index}]"), faults);
    }
    if let Some(resources) = &container.resources {
        check_resources(resources, &format!("{path}.resources"), faults);
    }
    let mounts = container.volume_mounts.as_deref().unwrap_or_default();
    for (index, mount) in mounts.iter().enumerate() {
        let path = format!("{path}.volumeMounts[{index}]");
        if !volumes.contains(mount.name.as_str()) {
            let message = format!("`{}` is no volume of spec.template.spec.volumes", mount.name);
            faults.add(format!("{path}.name"), message);
        }
        if mount.mount_path.is_empty() {
            faults.add(format!("{path}.mountPath"), "must not be empty");
        }
    }
    faults.duplicates(mounts.iter().map(|mount| mount.mount_path.as_str()), |index| {
        format!("{path}.volumeMounts[{index}].mountPath")
    });
}

fn is_label(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&name.len())
        && name.chars().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

fn check_variable(variable: &EnvVar, path: &str, faults: &mut Faults) {
    if variable.name.is_empty() {
        faults.add(format!("{path}.name"), "must not be empty");
    }
    let Some(from) = &variable.value_from else { return };
    if variable.value.as_deref().is_some_and(|value| !value.is_empty()) {
        faults.add(path, "value and valueFrom exclude each other");
    }
    let EnvVarSource { config_map_key_ref, field_ref, file_key_ref, resource_field_ref, secret_key_ref } =
        from;
    let sources = [
        config_map_key_ref.is_some(),
        field_ref.is_some(),
        file_key_ref.is_some(),
        resource_field_ref.is_some(),
        secret_key_ref.is_some(),
    ];
    if sources.iter().filter(|is_given| **is_given).count() != 1 {
        faults.add(format!("{path}.valueFrom"), "must name one source");
    }
    let secret = secret_key_ref.as_ref().map(|one| ("secretKeyRef", &one.name, &one.key));
    let map = config_map_key_ref.as_ref().map(|one| ("configMapKeyRef", &one.name, &one.key));
    for (source, name, key) in [secret, map].into_iter().flatten() {
        for (field, value) in [("name", name), ("key", key)] {
            if value.is_empty() {
                faults.add(format!("{path}.valueFrom.{source}.{field}"), "must not be empty");
            }
        }
    }
}

fn check_resources(resources: &ResourceRequirements, path: &str, faults: &mut Faults) {
    for (kind, quantities) in [("limits", &resources.limits), ("requests", &resources.requests)] {
        for (name, quantity) in quantities.iter().flatten() {
            if !is_quantity(&quantity.0) {
                faults.add(format!("{path}.{kind}.{name}"), format!("`{}` is no quantity", quantity.0));
            }
        }
    }
}

/// Digits, with a point among them or not, and a suffix; what it amounts to is the API server's to judge.
fn is_quantity(text: &str) -> bool {
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let has_digits = number.contains(|c: char| c.is_ascii_digit());
    let exponent = suffix.strip_prefix(['e', 'E']).is_some_and(|exponent| exponent.parse::<i8>().is_ok());
    let known = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    has_digits && number.matches('.').count() <= 1 && (exponent || known.contains(&suffix))
}
