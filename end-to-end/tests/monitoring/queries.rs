use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use end_to_end::{DataDir, Running, STAGES, api, stage, wait_for};
use serde_json::Value;
use tempfile::TempDir;

use crate::{has, list, read, rules, text};

/// The real programs, and a Prometheus that scrapes them with the labels that the monitor gives.
struct Scraped {
    data: DataDir,
    prometheus: Running,
    _programs: Vec<Running>,
    _place: TempDir,
}

impl Scraped {
    fn start() -> Self {
        let data = DataDir::new();
        let mut programs = vec![("api", Running::start(&mut api()))];
        let url = format!("http://{}", programs[0].1.address("listening"));
        for each in &STAGES {
            let to: &[&str] = if each.sends() { &["--api-url", &url, "--log-docs", "false"] } else { &[] };
            programs.push((each.name, Running::start(&mut stage(each.name, data.path(), to))));
        }
        let mut config = "global: {scrape_interval: 1s}\nscrape_configs:\n".to_owned();
        for (name, program) in &programs {
            let address = program.address("admin port open");
            let labels = format!("{{namespace: test, pod: {name}-1}}");
            let targets = format!("[{{targets: ['{address}'], labels: {labels}}}]");
            writeln!(config, "  - {{job_name: {name}, static_configs: {targets}}}").unwrap();
        }
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("prometheus.yaml");
        fs::write(&file, config).unwrap();
        let mut prometheus = Command::new("prometheus");
        prometheus.arg("--config.file").arg(&file).arg("--storage.tsdb.path").arg(place.path());
        let prometheus = Running::start(prometheus.arg("--web.listen-address=127.0.0.1:0"));
        let programs = programs.into_iter().map(|(_, program)| program).collect();
        Scraped { data, prometheus, _programs: programs, _place: place }
    }

    fn url(&self) -> String {
        wait_for("Prometheus to listen", || {
            let log = self.prometheus.log();
            let (_, behind) = log.split_once("msg=\"Listening on\" address=")?;
            Some(format!("http://{}", behind.lines().next()?.trim()))
        })
    }

    /// Whether a query has an answer that is a number.
    fn answers(&self, url: &str, query: &str) -> bool {
        // A file at a time: rates need something that goes on.
        if self.data.waiting("txt").is_empty() {
            self.data.put("listing.txt", format!("{}no entry\n", STAGES[0].good.repeat(20)));
        }
        let output = Command::new("promtool").args(["query", "instant", url, query]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("parse error"), "{query}: {said}");
        let answer = String::from_utf8(output.stdout).unwrap();
        output.status.success() && answer.contains("=>") && !answer.contains("=> NaN")
    }
}

/// What a panel asks once Grafana has put its variables in.
fn panel_queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("k8s/monitoring/dashboard.json")).unwrap();
    let panels = list(&dashboard["panels"]).iter();
    let targets = panels.flat_map(|panel| list(&panel["targets"]));
    targets
        .map(|target| {
            let query = text(&target["expr"]).replace("$namespace", "test").replace("$__rate_interval", "1m");
            assert!(!query.contains('$'), "{query}");
            assert!(query.contains("namespace=~\"test\""), "{query} looks at other namespaces");
            query
        })
        .collect()
}

/// Each metric that an alert looks at: a wrong name would never raise it.
fn alert_metrics() -> BTreeSet<String> {
    let mut metrics = BTreeSet::new();
    for rule in rules() {
        let words = text(&rule["expr"]).split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        metrics.extend(words.filter(|word| word.starts_with("pipe_") || *word == "up").map(str::to_owned));
    }
    assert!(metrics.len() > 5, "{metrics:?}");
    metrics
}

#[test]
fn every_query_has_an_answer_from_the_real_programs() {
    if !has("promtool") || !has("prometheus") {
        return;
    }
    let scraped = Scraped::start();
    let url = scraped.url();
    let counts = alert_metrics().into_iter().map(|metric| format!("count({metric}{{namespace=\"test\"}})"));
    let mut open: Vec<String> = panel_queries().into_iter().chain(counts).collect();
    assert!(open.len() > 20, "{open:?}");
    wait_for("an answer to every query", || {
        open.retain(|query| !scraped.answers(&url, query));
        open.is_empty().then_some(())
    });
    assert!(!scraped.answers(&url, "count(pipe_that_is_none)"), "what is not there has no answer");
}
