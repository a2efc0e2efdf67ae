//! The fourth step of CONTRIBUTING.md: where each program of the workspace must stand.

use std::fs;
use std::path::Path;

use end_to_end::{STAGES, deployed, services};
use serde_json::Value;

use crate::directory::all;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// The places in which a program does not stand, though it must.
fn missing(name: &str) -> Vec<String> {
    let (dockerfile, guide) = (read("Dockerfile"), read("docs/kubernetes.md"));
    let compose: Value = serde_saphyr::from_str(&read("docker-compose.yml")).unwrap();
    let packages = dockerfile.lines().find(|line| line.starts_with("ARG PACKAGES=")).unwrap();
    let images = guide.lines().find(|line| line.starts_with("for program in ")).unwrap();
    let has_word = |line: &str| line.split([' ', '"', ';']).any(|word| word == name);
    let is_stage = !["getdata", "api", "dashboard"].contains(&name);
    let places = [
        ("Dockerfile: PACKAGES", has_word(packages)),
        ("Dockerfile: a target", dockerfile.contains(&format!("FROM service AS {name}\n"))),
        ("docker-compose.yml", compose["services"][name].is_object()),
        ("k8s/accounts.yaml", all("ServiceAccount").contains_key(name)),
        ("k8s: a workload", all("Deployment").contains_key(name) || all("CronJob").contains_key(name)),
        ("docs/kubernetes.md: images into the cluster", has_word(images)),
        ("local-runner/Cargo.toml", read("local-runner/Cargo.toml").contains(&format!("\n{name}."))),
        ("end-to-end/src/stages.rs", !is_stage || STAGES.iter().any(|stage| stage.name == name)),
    ];
    let absent = places.into_iter().filter(|(_, is_there)| !is_there);
    absent.map(|(place, _)| format!("{name} is missing in {place}")).collect()
}

#[test]
fn every_program_of_the_workspace_is_built_deployed_and_tested() {
    let missing: Vec<String> = deployed().into_iter().flat_map(missing).collect();
    assert_eq!(missing, Vec::<String>::new());
    assert_eq!(self::missing("json-to-yaml").len(), 8, "the look itself finds what is missing");
}

/// What the stages' formats say of their order, the workspace's manifest says too.
#[test]
fn the_stages_stand_in_the_order_in_which_a_file_meets_them() {
    let names: Vec<&str> = services().into_iter().filter(|name| !["getdata", "api"].contains(name)).collect();
    assert_eq!(names, STAGES.each_ref().map(|stage| stage.name));
    for pair in STAGES.windows(2) {
        assert_eq!(pair[0].output, pair[1].input, "{} comes before {}", pair[0].name, pair[1].name);
    }
}
