//! The chain in containers, as `docker compose up` starts it.

use std::collections::BTreeSet;

use end_to_end::{Running, deployed, is_root, run, wait_for};
use serde_json::{Value, json};

use crate::docker::{docker, image, is_ready};
use crate::project::Project;

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
    for service in deployed() {
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
    assert_eq!(project.down(), ["0"; 7], "getdata, three stages, two of the api and the dashboard");
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
