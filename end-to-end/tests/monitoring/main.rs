//! `k8s/monitoring` and the metrics that it rests on.
//!
//! - `manifests.rs`: what selects what, and a paragraph for each alert
//! - `alerts.rs`: which trouble raises which alert
//! - `queries.rs`: every query, asked of a Prometheus that has scraped the real programs
//! - `metrics.rs`: what the newest metrics say of a stage at work

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod alerts;
mod manifests;
mod metrics;
mod queries;

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The one document of a file in `k8s/monitoring`.
fn manifest(name: &str) -> Value {
    serde_saphyr::from_str(&read(&format!("k8s/monitoring/{name}"))).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}"))
}

/// All rules.
fn rules() -> Vec<Value> {
    let manifest = manifest("prometheusrule.yaml");
    let groups = list(&manifest["spec"]["groups"]).iter();
    groups.flat_map(|group| list(&group["rules"]).to_vec()).collect()
}

/// Whether a program is there. CI must have it.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "CI must have {program}");
    if !found {
        eprintln!("skipped: there is no {program}");
    }
    found
}
