use std::fs;
use std::process::Command;

use serde_json::json;

use crate::{has, manifest, read, rules, text};

#[test]
fn each_trouble_raises_its_alerts_and_no_others() {
    if !has("promtool") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let groups = &manifest("prometheusrule.yaml")["spec"]["groups"];
    // JSON is YAML.
    fs::write(place.path().join("rules.yaml"), json!({ "groups": groups }).to_string()).unwrap();
    let series = read("end-to-end/tests/monitoring/alerts.yaml");
    fs::write(place.path().join("alerts.yaml"), &series).unwrap();
    for arguments in [["check", "rules", "rules.yaml"], ["test", "rules", "alerts.yaml"]] {
        let output = Command::new("promtool").args(arguments).current_dir(place.path()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
    }
    for rule in rules() {
        let name = text(&rule["alert"]);
        assert!(series.contains(&format!("alertname=\"{name}\"")), "no series raises {name}");
    }
}
