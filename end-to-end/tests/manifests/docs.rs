//! The commands for a cluster that the documentation gives.

use std::fs;
use std::path::Path;
use std::process::Command;

use end_to_end::documented_commands;

use crate::directory::all;

fn kubectl_commands() -> Vec<String> {
    let documents =
        ["README.md", "docs/kubernetes.md", "docs/jobs.md", "docs/data-pipeline.md", "docs/operations.md"];
    let commands = commands_of(&documents);
    assert!(commands.len() > 20, "{commands:?}");
    commands
}

fn commands_of(documents: &[&str]) -> Vec<String> {
    let mut commands: Vec<String> =
        documents.iter().flat_map(|document| documented_commands(document)).collect();
    commands.retain(|line| line.starts_with("kubectl "));
    commands
}

/// Whether kubectl is there. CI must have it.
pub(crate) fn has_kubectl() -> bool {
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
    // The operator's names are those of its own manifests, and of Jobs that it makes.
    let of_the_operator = commands_of(&["docs/sequential-job.md"]);
    assert!(of_the_operator.len() > 10, "{of_the_operator:?}");
    for line in kubectl_commands().into_iter().chain(of_the_operator) {
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        let output = shell.env("KUBECONFIG", directory.path().join("config")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        for mistake in ["unknown", "invalid", "does not exist", "required", "must", "usage", "Usage"] {
            assert!(!said.contains(mistake), "{line}: {said}");
        }
    }
}

/// The Job that a command makes of a schedule.
fn job_by_hand(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("create job --from=")?;
    rest.split_whitespace().nth(1).map(str::to_owned)
}

#[test]
fn the_documentation_names_what_the_manifests_have() {
    let kinds = [
        ("deployment/", "Deployment"),
        ("deployment ", "Deployment"),
        ("cronjob/", "CronJob"),
        ("cronjob ", "CronJob"),
        ("job/", "Job"),
        ("job ", "Job"),
        ("configmap ", "ConfigMap"),
        ("pod/", "Pod"),
    ];
    let by_hand: Vec<String> = kubectl_commands().iter().filter_map(|line| job_by_hand(line)).collect();
    let mut named = 0;
    for line in kubectl_commands() {
        for (start, kind) in kinds {
            for (place, _) in line.match_indices(start) {
                // `cronjob/` ends like `job/`, and `drain-job ` like `job `.
                if line[..place].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '-') {
                    continue;
                }
                let rest = &line[place + start.len()..];
                let name = rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).next().unwrap();
                // `NAME` stands for one; `create job --from` makes one.
                let stands_for_one = name.to_ascii_uppercase() == name || name.starts_with('-');
                let is_by_hand = kind == "Job" && by_hand.iter().any(|own| own == name);
                if !stands_for_one && !is_by_hand {
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
