//! The manifest's settings.

use serde_json::Value;

use crate::Place;

fn documents() -> Vec<Value> {
    serde_saphyr::from_multiple(include_str!("../../../k8s/batch/data-pipeline.yaml")).unwrap()
}

fn of_kind(kind: &str) -> Value {
    documents().into_iter().find(|document| document["kind"] == kind).unwrap()
}

#[test]
fn the_program_knows_the_settings_of_its_config_map_and_works_with_them() {
    let place = Place::new();
    let help = place.succeed(&["--help"]).stdout;
    let settings = of_kind("ConfigMap")["data"].clone();
    let mut command = place.command(&[]);
    for (name, value) in settings.as_object().unwrap() {
        assert!(help.contains(&format!("[env: {name}]")), "no {name}");
        if !name.ends_with("_DIR") {
            command.env(name, value.as_str().unwrap());
        }
    }
    assert!(command.output().unwrap().status.success());
    place.report();
}

#[test]
fn it_runs_every_hour_and_never_twice_at_a_time() {
    let cron = of_kind("CronJob");
    assert_eq!(cron["metadata"]["name"], "data-pipeline-cronjob");
    let spec = &cron["spec"];
    assert_eq!((&spec["schedule"], &spec["concurrencyPolicy"]), (&"0 * * * *".into(), &"Forbid".into()));
    assert!(spec["timeZone"].is_string() && spec["startingDeadlineSeconds"].is_u64());
    let job = &spec["jobTemplate"]["spec"];
    assert!(job["activeDeadlineSeconds"].as_u64().unwrap() < 3600, "a run ends before the next one");
    assert!(job["backoffLimit"].is_u64() && job["ttlSecondsAfterFinished"].is_u64());
    let pod = &job["template"]["spec"];
    assert_eq!(pod["restartPolicy"], "Never");
    let image = format!("k8s-pipe/data-pipeline:{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(pod["containers"][0]["image"], image);
}
