use std::collections::BTreeSet;
use std::process::Command;

use end_to_end::STAGES;
use serde_json::Value;

use crate::{has, list, manifest, read, repository, rules, text};

/// The pods' templates of `k8s/deployments.yaml`.
fn templates() -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(&read("k8s/deployments.yaml")).unwrap();
    documents.into_iter().map(|document| document["spec"]["template"].clone()).collect()
}

#[test]
fn the_monitor_selects_every_pod_that_has_metrics() {
    let monitor = manifest("podmonitor.yaml");
    let selected = monitor["spec"]["selector"]["matchLabels"].as_object().unwrap();
    let job = text(&monitor["spec"]["jobLabel"]);
    let port = text(&monitor["spec"]["podMetricsEndpoints"][0]["port"]);
    let mut jobs = BTreeSet::new();
    for template in templates() {
        let labels = &template["metadata"]["labels"];
        assert!(selected.iter().all(|(key, value)| labels[key] == *value), "{labels}");
        let ports = list(&template["spec"]["containers"][0]["ports"]);
        let has_port = ports.iter().any(|known| known["name"] == port && known["containerPort"] == 9090);
        assert!(has_port, "{labels}");
        jobs.insert(text(&labels[job]).to_owned());
    }
    // The jobs that rules and Grafana's dashboard speak of, and the program that shows the same.
    let expected = STAGES.iter().map(|stage| stage.name).chain(["api", "dashboard"]);
    let expected = expected.map(str::to_owned).collect();
    assert_eq!(jobs, expected);
}

#[test]
fn every_alert_says_how_bad_it_is_and_has_a_paragraph_of_what_to_do() {
    let operations = read("docs/operations.md");
    let mut names = BTreeSet::new();
    for rule in rules() {
        let name = text(&rule["alert"]);
        assert!(names.insert(name.to_owned()), "{name}: twice");
        assert!(["critical", "warning"].contains(&text(&rule["labels"]["severity"])), "{name}");
        for annotation in ["summary", "description"] {
            assert!(!text(&rule["annotations"][annotation]).is_empty(), "{name}: {annotation}");
        }
        let runbook = text(&rule["annotations"]["runbook_url"]);
        assert_eq!(runbook, format!("docs/operations.md#{}", name.to_lowercase()));
        let (_, behind) = operations
            .split_once(&format!("\n### {name}\n\n"))
            .unwrap_or_else(|| panic!("docs/operations.md has nothing of {name}"));
        let paragraph = behind.split("\n#").next().unwrap();
        assert!(paragraph.trim().len() > 100, "{name}: {paragraph}");
    }
    let headings = operations.lines().filter_map(|line| line.strip_prefix("### Pipe"));
    assert_eq!(headings.count(), names.len(), "docs/operations.md has alerts that are none");
}

#[test]
fn kubectl_makes_a_dashboard_of_it_that_the_sidecar_finds() {
    if !has("kubectl") {
        return;
    }
    let mut kubectl = Command::new("kubectl");
    let output = kubectl.args(["kustomize", "k8s/monitoring"]).current_dir(repository()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made: Vec<Value> = serde_saphyr::from_multiple(std::str::from_utf8(&output.stdout).unwrap()).unwrap();
    let kinds: BTreeSet<&str> = made.iter().map(|document| text(&document["kind"])).collect();
    assert_eq!(kinds, ["ConfigMap", "NetworkPolicy", "PodMonitor", "PrometheusRule"].into());
    let dashboard = made.iter().find(|document| document["kind"] == "ConfigMap").unwrap();
    assert_eq!(dashboard["metadata"]["labels"]["grafana_dashboard"], "1");
    let kept: Value = serde_json::from_str(text(&dashboard["data"]["k8s-pipe.json"])).unwrap();
    assert_eq!(kept, serde_json::from_str::<Value>(&read("k8s/monitoring/dashboard.json")).unwrap());
    for document in &made {
        assert_eq!(document["metadata"]["labels"]["app.kubernetes.io/part-of"], "k8s-pipe", "{document}");
        assert_eq!(document["metadata"]["namespace"], Value::Null, "kubectl -n decides");
    }
}

#[test]
fn the_dashboards_panels_lie_side_by_side_and_say_what_they_show() {
    let dashboard: Value = serde_json::from_str(&read("k8s/monitoring/dashboard.json")).unwrap();
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    for panel in list(&dashboard["panels"]) {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let place = &panel["gridPos"];
        assert!(places.insert((place["x"].as_u64().unwrap(), place["y"].as_u64().unwrap())), "{place}");
        assert!(!text(&panel["title"]).is_empty() && !text(&panel["description"]).is_empty());
        assert_eq!(panel["datasource"]["uid"], "${datasource}");
    }
}
