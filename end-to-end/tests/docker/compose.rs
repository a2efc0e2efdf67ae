//! The chain in containers, as `docker compose up` starts it.

use std::collections::BTreeSet;

use end_to_end::{Running, is_root, run, services, wait_for};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::docker::{docker, image, is_ready};
use crate::project::Project;

/// Listings so large that the stage can be caught at work on them.
const LARGE: [(&str, usize); 3] =
    [("text-to-csv", 200_000), ("csv-to-json", 200_000), ("json-to-api", 50_000)];

/// The documents printed so far, each with the container that took it.
fn printed(project: &Project) -> Vec<(String, String)> {
    let log = project.log("json-to-api").out;
    let mut lines = log.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let Some(document) = line.strip_prefix("Post doc to api: ") else { continue };
        let Some(reply) = lines.next() else { break };
        let container = reply
            .strip_prefix(r#"{"response":"ok","container":""#)
            .and_then(|rest| rest.strip_suffix(r#""}"#));
        // The rest of a block may still be on its way, or have ended with a kill.
        if let Some(container) = container {
            found.push((document.to_owned(), container.to_owned()));
        }
    }
    found
}

/// The numbers of the documents of a listing that [`Project::drop_listing`] made, in the order in which they came.
fn numbers(printed: &[(String, String)], mark: &str) -> Vec<usize> {
    let start = format!(r#""file":"/{mark}/"#);
    let rests = printed.iter().filter_map(|(document, _)| document.split_once(&start));
    rests.map(|(_, rest)| rest.trim_end_matches("\"}").parse().unwrap()).collect()
}

fn names(printed: &[(String, String)]) -> BTreeSet<&str> {
    printed.iter().map(|(_, container)| container.as_str()).collect()
}

/// How many entries getdata says that it has listed.
fn listed(project: &Project) -> usize {
    let log = project.log("getdata").diagnostics;
    let counts =
        log.lines().filter_map(|line| line.split_once(" entries=")).map(|(_, rest)| rest.split(' ').next());
    counts.map(|count| count.unwrap().parse::<usize>().unwrap()).sum()
}

/// Waits until as many documents are printed as were listed by getdata, and by us; returns them.
fn wait_for_all(project: &Project, ours: usize) -> Vec<(String, String)> {
    wait_for("a document for every entry", || {
        let printed = printed(project);
        (!printed.is_empty() && printed.len() == listed(project) + ours).then_some(printed)
    })
}

/// Waits until nothing waits on the volume and nothing is in hand.
fn wait_until_drained(project: &Project) {
    wait_for("the end of all batches", || project.files().is_empty().then_some(()));
}

#[test]
#[ignore = "builds the images: just images"]
fn every_service_is_hardened_as_in_the_cluster_and_of_this_version() {
    if !is_ready("every_service_is_hardened_as_in_the_cluster_and_of_this_version") {
        return;
    }
    let file: Value = serde_json::from_str(&docker(&["compose", "config", "--format", "json"])).unwrap();
    for service in services() {
        let settings = &file["services"][service];
        assert_eq!(settings["image"], image(service));
        assert_eq!(settings["read_only"], true, "{service}");
        assert_eq!(settings["cap_drop"], json!(["ALL"]), "{service}");
        assert_eq!(settings["security_opt"], json!(["no-new-privileges:true"]), "{service}");
        assert_eq!(settings["restart"], "unless-stopped", "{service}");
        assert_eq!(settings["privileged"], Value::Null, "{service}");
        if service != "getdata" {
            assert_eq!(
                settings["healthcheck"]["test"],
                json!(["CMD", format!("/{service}"), "--check-health"])
            );
        }
    }
    assert_eq!(file["services"]["api"]["deploy"]["replicas"], 3);
    assert_eq!(file["services"]["getdata"]["command"], json!(["--every", "1m"]));
}

#[test]
#[ignore = "builds the images: just images"]
fn the_chain_runs_in_containers_and_loses_nothing() {
    let test = "the_chain_runs_in_containers_and_loses_nothing";
    if !is_ready(test) || !is_root(test) {
        return;
    }
    let project = Project::new();
    run(&mut project.documented("up --build"));
    let follows = Running::start(&mut project.documented("logs --follow"));
    wait_for("a document in the log", || follows.out().contains("Post doc to api: {").then_some(()));
    drop(follows);
    let first = wait_for_all(&project, 0);
    assert_eq!(names(&first).len(), 3, "{:?}", names(&first));
    containers_that_come_are_used_and_those_that_go_take_nothing_along(&project);
    for (stage, entries) in LARGE {
        a_stage_killed_at_work_loses_nothing(&project, stage, entries);
    }
    assert_eq!(project.down(), ["0"; 6], "getdata, three stages and two of the api");
}

fn containers_that_come_are_used_and_those_that_go_take_nothing_along(project: &Project) {
    run(&mut project.documented("--scale api=5"));
    let (mut dropped, few, many) = (0, 2_000, 50_000);
    wait_for("five names", || {
        dropped += 1;
        project.drop_listing(&format!("five-{dropped}"), few);
        wait_until_drained(project);
        (names(&printed(project)).len() == 5).then_some(())
    });
    project.drop_listing("two", many);
    wait_for("some of it", || (!numbers(&printed(project), "two").is_empty()).then_some(()));
    scale_api(project, 2);
    let printed = wait_for_all(project, dropped * few + many);
    for number in 1..=dropped {
        assert_each_once(&printed, &format!("five-{number}"), few);
    }
    assert_each_once(&printed, "two", many);
}

fn scale_api(project: &Project, replicas: usize) {
    project.compose(&["up", "--detach", "--no-recreate", "--scale", &format!("api={replicas}")]);
}

fn assert_each_once(printed: &[(String, String)], mark: &str, entries: usize) {
    let mut found = numbers(printed, mark);
    found.sort_unstable();
    assert!(found.into_iter().eq(1..=entries), "{mark}");
}

/// Whether a stage has begun to note what becomes of a batch, and has not finished.
fn is_at_work(project: &Project, stage: &str) -> bool {
    let begun = if stage == "json-to-api" { "journal." } else { "output." };
    let mut files = project.files();
    files.retain(|path| path.components().any(|part| part.as_os_str() == stage));
    let names: Vec<_> = files.iter().map(|path| path.file_name().unwrap().to_string_lossy()).collect();
    names.iter().any(|name| name.starts_with(begun)) && !names.iter().any(|name| name == "output")
}

fn a_stage_killed_at_work_loses_nothing(project: &Project, stage: &str, entries: usize) {
    wait_until_drained(project);
    let process = project.process(stage);
    project.drop_listing(stage, entries);
    wait_for("the stage at work", || is_at_work(project, stage).then_some(()));
    // Held where it is: Docker takes its time to kill.
    kill_process(process, Signal::STOP).unwrap();
    assert!(is_at_work(project, stage), "{stage} was too fast");
    docker(&["kill", &project.container(stage)]);
    scale_api(project, 2);
    wait_until_drained(project);
    let found = numbers(&printed(project), stage);
    let distinct: BTreeSet<usize> = found.iter().copied().collect();
    assert!(distinct.into_iter().eq(1..=entries), "{stage}: something is lost");
    // What was in flight, or answered and not yet noted, may have been sent twice.
    let most = if stage == "json-to-api" { 64 + 1_000 } else { 0 };
    assert!(found.len() - entries <= most, "{stage}: {} twice", found.len() - entries);
}
