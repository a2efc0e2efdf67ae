//! What lies in `k8s/`: files, documents, and the pods that they make.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../k8s")
}

/// What is another installation and has its own tests: the operator (`sequential-job/tests/manifests.rs`), what needs
/// other operators (`end-to-end/tests/monitoring/`), and the database (`postgres.rs`).
const APART: [&str; 4] = ["sequential-job", "samples", "monitoring", "postgres"];

/// The manifests below `k8s/`, paths in it, in the order in which kubectl applies them. What patches them is none.
pub(crate) fn files() -> Vec<PathBuf> {
    let mut directories = vec![directory()];
    let mut files = Vec::new();
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            if APART.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            let found = if entry.file_type().unwrap().is_dir() { &mut directories } else { &mut files };
            found.push(entry.path());
        }
    }
    files.retain(|file| !file.ends_with("multi-node/kustomization.yaml"));
    files.sort();
    files
}

/// Whether `kubectl apply -f k8s` sees a file: it does not look into directories.
pub(crate) fn is_applied(file: &Path) -> bool {
    file.parent() == Some(&directory())
}

pub(crate) fn documents_of(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    documents(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

pub(crate) fn documents(text: &str) -> Result<Vec<Value>, serde_saphyr::Error> {
    serde_saphyr::from_multiple(text)
}

/// All documents of a kind, by name.
pub(crate) fn all(kind: &str) -> BTreeMap<String, Value> {
    let documents = files().iter().flat_map(|file| documents_of(file)).collect::<Vec<_>>();
    let of_kind = documents.into_iter().filter(|document| document["kind"] == kind);
    of_kind.map(|document| (string(&document["metadata"]["name"]), document)).collect()
}

pub(crate) fn string(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A pod as its workload makes it.
#[derive(Clone)]
pub(crate) struct Pod {
    pub(crate) workload: String,
    pub(crate) labels: Value,
    pub(crate) spec: Value,
}

impl Pod {
    pub(crate) fn containers(&self) -> impl Iterator<Item = &Value> {
        ["initContainers", "containers"].iter().flat_map(|kind| list(&self.spec[*kind]))
    }

    /// Whether its labels are among those selected.
    pub(crate) fn is_selected_by(&self, labels: &Value) -> bool {
        let wanted = labels.as_object().unwrap();
        !wanted.is_empty() && wanted.iter().all(|(key, value)| self.labels[key] == *value)
    }

    /// The number of a port by its name.
    pub(crate) fn port(&self, name: &Value) -> Option<u64> {
        let mut ports = self.containers().flat_map(|container| list(&container["ports"]));
        ports.find(|port| port["name"] == *name)?["containerPort"].as_u64()
    }
}

pub(crate) fn pods() -> Vec<Pod> {
    let places = [
        ("Deployment", "/spec/template"),
        ("Job", "/spec/template"),
        ("CronJob", "/spec/jobTemplate/spec/template"),
        ("Pod", ""),
    ];
    let mut pods = Vec::new();
    for (kind, place) in places {
        for (name, document) in all(kind) {
            let pod = document.pointer(place).unwrap();
            pods.push(Pod {
                workload: format!("{kind} {name}"),
                labels: pod["metadata"]["labels"].clone(),
                spec: pod["spec"].clone(),
            });
        }
    }
    assert!(!pods.is_empty(), "no pods");
    pods
}
