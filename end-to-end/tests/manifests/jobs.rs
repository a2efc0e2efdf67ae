//! Jobs and schedules: that they end, go on, and are explained.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::directory::{all, documents_of, files, list, string};

/// All Jobs' specs by their workload's name, those that a schedule makes too.
fn jobs() -> Vec<(String, Value)> {
    let jobs = all("Job").into_iter().map(|(name, job)| (format!("Job {name}"), job["spec"].clone()));
    let scheduled = all("CronJob").into_iter();
    let scheduled =
        scheduled.map(|(name, job)| (format!("CronJob {name}"), job["spec"]["jobTemplate"]["spec"].clone()));
    jobs.chain(scheduled).collect()
}

#[test]
fn a_run_that_is_late_hangs_or_fails_does_not_end_the_schedule() {
    for (name, job) in all("CronJob") {
        let job = &job["spec"];
        assert!(job["concurrencyPolicy"].is_string(), "{name}");
        // Without a value, `kubectl apply` leaves a suspended one suspended.
        assert_eq!(job["suspend"], false, "{name}");
        // The controller looks every 10 seconds: with less than that a run may be missed each time.
        assert!(job["startingDeadlineSeconds"].as_u64().unwrap() > 10, "{name}");
        for history in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
            assert!(job[history].is_u64(), "{name}: {history}");
        }
        let hour = string(&job["schedule"]).split(' ').nth(1).unwrap().to_owned();
        assert!(hour == "*" || job["timeZone"].is_string(), "{name}: whose {hour} o'clock?");
    }
    assert_eq!(all("CronJob")["getdata"]["spec"]["concurrencyPolicy"], "Forbid");
}

#[test]
fn every_job_ends_and_its_failures_are_bounded() {
    for (name, job) in jobs() {
        assert_eq!(job["template"]["spec"]["restartPolicy"], "Never", "{name}: logs of attempts stay");
        assert!(job["activeDeadlineSeconds"].is_u64(), "{name} may hang for good");
        assert!(
            job["backoffLimit"].is_u64() || job["backoffLimitPerIndex"].is_u64(),
            "{name} may fail for good"
        );
        // A schedule keeps as many as its history says.
        assert!(
            name.starts_with("CronJob") || job["ttlSecondsAfterFinished"].is_u64(),
            "{name} stays for good"
        );
    }
}

/// With fewer completions than pods, or none said, a Job counts as complete while what one of its pods had in hand when it
/// failed is taken up by nobody.
#[test]
fn a_drain_is_complete_only_when_each_of_its_pods_or_its_successor_found_nothing_left() {
    let mut drains = 0;
    for (name, job) in jobs() {
        let containers = list(&job["template"]["spec"]["containers"]);
        if !containers.iter().any(|one| list(&one["args"]).contains(&json!("--once"))) {
            continue;
        }
        assert!(job["completions"].is_u64(), "{name}");
        if job["completionMode"] != "Indexed" {
            assert_eq!(job["completions"], job["parallelism"], "{name}");
        }
        drains += 1;
    }
    assert!(drains >= 3, "{drains}");
}

#[test]
fn disruptions_and_stops_are_no_failures_and_wrong_settings_are_final() {
    let mut policies = 0;
    for (name, job) in jobs() {
        let rules = list(&job["podFailurePolicy"]["rules"]);
        let [disrupted, stopped, refused] = rules else {
            assert!(rules.is_empty(), "{name}");
            continue;
        };
        assert_eq!(disrupted["action"], "Ignore", "{name}");
        assert_eq!(
            disrupted["onPodConditions"],
            json!([{"type": "DisruptionTarget", "status": "True"}]),
            "{name}"
        );
        assert_eq!(stopped["action"], "Ignore", "{name}");
        assert!(["FailJob", "FailIndex"].contains(&string(&refused["action"]).as_str()), "{name}");
        let container = &list(&job["template"]["spec"]["containers"])[0]["name"];
        for (rule, statuses) in [(stopped, json!([130, 143])), (refused, json!([2]))] {
            let exit = json!({"containerName": container, "operator": "In", "values": statuses});
            assert_eq!(rule["onExitCodes"], exit, "{name}");
        }
        policies += 1;
    }
    assert!(policies >= 3, "{policies}");
}

/// Whether a document has a field of this name, and with this value where one is given, at any depth.
fn has(document: &Value, field: &str, value: Option<&str>) -> bool {
    let read = |text: &str| text.parse::<bool>().map_or_else(|_| json!(text), |value| json!(value));
    let fits = |found: &Value| value.is_none_or(|value| *found == read(value));
    match document {
        Value::Object(fields) => {
            fields.get(field).is_some_and(fits) || fields.values().any(|one| has(one, field, value))
        }
        Value::Array(items) => items.iter().any(|one| has(one, field, value)),
        _ => false,
    }
}

/// The rows of the tables in `docs/jobs.md`: a field, perhaps with its value, and the manifests that have it.
fn explained() -> Vec<(String, Vec<String>)> {
    let code = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let rows = include_str!("../../../docs/jobs.md").lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        (code(cells[1]).remove(0), code(cells[2]))
    })
    .collect()
}

#[test]
fn every_field_that_the_guide_explains_stands_in_the_manifests_that_it_names() {
    let rows = explained();
    for (field, manifests) in &rows {
        let (field, value) =
            field.split_once(": ").map_or((field.as_str(), None), |(field, value)| (field, Some(value)));
        assert!(!manifests.is_empty(), "{field} has no example");
        for manifest in manifests {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../k8s").join(manifest);
            let documents = documents_of(&path);
            assert!(
                documents.iter().any(|one| has(one, field, value)),
                "{manifest} has no {field} {value:?}"
            );
        }
    }
    for file in files().iter().filter(|file| file.parent().is_some_and(|parent| parent.ends_with("batch"))) {
        let name = format!("batch/{}", file.file_name().unwrap().to_str().unwrap());
        for (field, manifests) in rows.iter().filter(|(field, _)| !field.contains(": ")) {
            let has_it = documents_of(file).iter().any(|one| has(one, field, None));
            assert_eq!(has_it, manifests.contains(&name), "{field} in {name}, by the guide and by itself");
        }
    }
    let fields: BTreeSet<&str> = rows.iter().map(|(field, _)| field.as_str()).collect();
    for asked in [
        "completions",
        "parallelism",
        "completionMode: Indexed",
        "backoffLimit",
        "backoffLimitPerIndex",
        "activeDeadlineSeconds",
        "ttlSecondsAfterFinished",
        "suspend: true",
        "podFailurePolicy",
        "schedule",
        "timeZone",
        "startingDeadlineSeconds",
        "concurrencyPolicy: Allow",
        "concurrencyPolicy: Forbid",
        "concurrencyPolicy: Replace",
        "successfulJobsHistoryLimit",
        "failedJobsHistoryLimit",
    ] {
        assert!(fields.contains(asked), "docs/jobs.md does not explain {asked}");
    }
}

#[test]
fn the_guide_names_every_manifest_for_batch_work() {
    let guide = include_str!("../../../docs/jobs.md");
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../k8s/batch");
    let names =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let unnamed: Vec<String> = names.filter(|name| !guide.contains(&format!("k8s/batch/{name}"))).collect();
    assert_eq!(unnamed, Vec::<String>::new(), "docs/jobs.md");
    assert!(
        files().iter().any(|file| file.ends_with("batch/drain-job.yaml")),
        "they are among those checked"
    );
}
