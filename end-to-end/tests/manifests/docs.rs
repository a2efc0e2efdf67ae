//! The commands for a cluster that the documentation gives.

use std::fs;
use std::path::Path;
use std::process::Command;

use end_to_end::documented_commands;

use crate::directory::all;

fn kubectl_commands() -> Vec<String> {
    let mut commands = documented_commands("README.md");
    commands.extend(documented_commands("docs/kubernetes.md"));
    commands.retain(|line| line.starts_with("kubectl "));
    assert!(commands.len() > 20, "{commands:?}");
    commands
}

/// Whether kubectl is there. CI must have it.
fn has_kubectl() -> bool {
    let found = Command::new("kubectl").args(["version", "--client"]).output().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "CI must have kubectl");
    if !found {
        eprintln!("skipped: there is no kubectl");
    }
    found
}

#[test]
fn kubectl_understands_every_command_of_the_documentation() {
    if !has_kubectl() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    // A cluster that nobody answers for: what is wrong with a command itself is said before that.
    let config = "{apiVersion: v1, kind: Config, current-context: none, \
        contexts: [{name: none, context: {cluster: none, user: none}}], users: [{name: none, user: {}}], \
        clusters: [{name: none, cluster: {server: 'http://127.0.0.1:1'}}]}";
    fs::write(directory.path().join("config"), config).unwrap();
    for line in kubectl_commands() {
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        let output = shell.env("KUBECONFIG", directory.path().join("config")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        for mistake in ["unknown", "invalid", "does not exist", "required", "must", "usage", "Usage"] {
            assert!(!said.contains(mistake), "{line}: {said}");
        }
    }
}

#[test]
fn the_documentation_names_what_the_manifests_have() {
    let kinds = [
        ("deployment/", "Deployment"),
        ("deployment ", "Deployment"),
        ("cronjob/", "CronJob"),
        ("cronjob ", "CronJob"),
        ("configmap ", "ConfigMap"),
        ("pod/", "Pod"),
    ];
    let mut named = 0;
    for line in kubectl_commands() {
        for (start, kind) in kinds {
            for (place, _) in line.match_indices(start) {
                let rest = &line[place + start.len()..];
                let name = rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).next().unwrap();
                // `NAME` stands for one.
                if !name.is_empty() && name.to_ascii_uppercase() != name {
                    assert!(all(kind).contains_key(name), "{line}: no {kind} `{name}`");
                    named += 1;
                }
            }
        }
    }
    assert!(named > 10, "{named}");
}

/// A document may say `container` too: only a reply's line begins like one.
#[test]
fn what_the_documentation_greps_for_matches_replies_and_no_documents() {
    let block = "Post doc to api: {\"file\":\"/container/{\\\"response\\\"\"}\n{\"response\":\"ok\",\"container\":\"api-1\"}\n";
    let mut greps = 0;
    for line in kubectl_commands() {
        let Some((_, grep)) = line.split_once("deployment/json-to-api | ") else { continue };
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("printf %s \"$BLOCK\" | {grep}")]).env("BLOCK", block);
        let found = String::from_utf8(shell.output().unwrap().stdout).unwrap();
        assert_eq!(found, "{\"response\":\"ok\",\"container\":\"api-1\"}\n", "{line}");
        greps += 1;
    }
    assert!(greps > 0, "no command shows which pod answers");
}
