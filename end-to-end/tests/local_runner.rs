//! The local runner, and with it the commands of the README.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;

use end_to_end::{DataDir, Running, documented_commands, program, run, wait_for};

/// What follows `cargo run --release` in the README's commands, without the dashes between.
fn readme_commands() -> Vec<Vec<String>> {
    let mut runs = Vec::new();
    for line in documented_commands("README.md") {
        match line.strip_prefix("cargo run --release") {
            Some(args) => {
                runs.push(args.split_whitespace().filter(|&arg| arg != "--").map(str::to_owned).collect())
            }
            None => {
                // CI runs the first, `tests/docker` the second, `tests/manifests` tries the third.
                let others = ["cargo test --workspace", "docker compose ", "kubectl "];
                // `tests/iris.rs` runs these.
                let of_iris =
                    ["cargo build ", "export PATH=", "mkdir ", "data-prep ", "csv-to-json ", "json-to-api "];
                let is_run = others.iter().chain(&of_iris).any(|other| line.starts_with(other));
                assert!(is_run, "no test runs `{line}`");
            }
        }
    }
    runs
}

fn local_runner(args: &[&str]) -> Command {
    let mut command = Command::new(program("local-runner"));
    command.args(args).env_remove("DATA_DIR");
    command
}

/// The numbers in a summary's line, in their order: batch, listed, delivered, (name and count) per replica, ….
fn numbers(summary: &str) -> Vec<u64> {
    let words = summary.split(|c: char| !c.is_ascii_digit());
    words.filter_map(|word| word.parse().ok()).collect()
}

/// Checks the blocks and the summary of a first batch; returns how many replicas it names.
fn check(printed: &str) -> usize {
    let summary = printed.lines().find(|line| line.starts_with("batch 1: ")).unwrap();
    let numbers = numbers(summary);
    let [_, listed, delivered, rest @ ..] = numbers.as_slice() else { panic!("{summary}") };
    let replicas = rest.len() / 2 - 1;
    let shares: u64 = (0..replicas).map(|replica| rest[2 * replica + 1]).sum();
    assert_eq!((listed, delivered), (delivered, &shares), "{summary}");
    assert!(summary.contains(" 0 rejected, "), "{summary}");
    let start = format!("{}\n\nPost doc to api: ", "-".repeat(68));
    let blocks = printed.split(&start).skip(1);
    let mut count = 0;
    for block in blocks.take(usize::try_from(*listed).unwrap()) {
        let (document, reply) = block.split_once('\n').unwrap();
        let document: serde_json::Value = serde_json::from_str(document).unwrap();
        assert_eq!(document.as_object().unwrap().len(), 7);
        let reply: serde_json::Value = serde_json::from_str(reply.lines().next().unwrap()).unwrap();
        assert!(reply["container"].as_str().unwrap().starts_with("api-"));
        count += 1;
    }
    assert_eq!(count, *listed, "a block for each document");
    replicas
}

#[test]
fn the_readmes_commands_do_what_it_says() {
    for args in readme_commands() {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let replicas = if args.contains(&"--once") {
            let output = run(&mut local_runner(&args));
            check(&String::from_utf8(output.stdout).unwrap())
        } else {
            let running = Running::start(&mut local_runner(&args));
            let printed = wait_for("a batch", || {
                Some(running.out()).filter(|out| out.contains("\nbatch 1: ") && out.ends_with(" s\n"))
            });
            running.stop();
            check(&printed)
        };
        let expected = if args.contains(&"--api-replicas") { 5 } else { 3 };
        assert_eq!(replicas, expected, "{args:?}");
    }
}

#[test]
fn a_file_dropped_into_the_data_directory_goes_the_same_way() {
    let data = DataDir::new();
    let directory = data.path().display().to_string();
    let running = Running::start(&mut local_runner(&["--root", "/etc/passwd", "--data-dir", &directory]));
    wait_for("the first batch", || running.out().contains("\nbatch 1: 1 files listed, ").then_some(()));
    data.put("listing-mine.csv", "a,b,c,d,e,f,mine\n");
    wait_for("the dropped file", || {
        running.out().contains("\nbatch 2: 1 documents delivered ").then_some(())
    });
    assert!(running.out().contains(r#""file":"mine"}"#));
    running.stop();
    assert!(data.in_hand().is_empty());
}

#[test]
fn a_fresh_data_directory_is_named_and_gone_at_the_end() {
    let output = run(&mut local_runner(&["--once", "--root", "/etc/passwd"]));
    let said = String::from_utf8(output.stderr).unwrap();
    let directory = said.lines().find_map(|line| line.strip_prefix("data directory: ")).unwrap();
    assert!(!std::path::Path::new(directory).exists(), "{said}");
}

#[test]
fn the_dashboards_address_is_printed_and_it_shows_what_is_delivered() {
    let data = DataDir::new();
    let directory = data.path().display().to_string();
    let running = Running::start(&mut local_runner(&["--root", "/etc/passwd", "--data-dir", &directory]));
    let address = wait_for("the dashboard's address", || {
        let log = running.log();
        let (_, rest) = log.split_once("dashboard: http://")?;
        Some(rest.split_once('/')?.0.to_owned())
    });
    let snapshot = || {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "GET /snapshot HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
        let answer = std::io::read_to_string(stream).unwrap();
        serde_json::from_str::<serde_json::Value>(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    wait_for("the document", || (snapshot()["programs"][3]["records_ok"] == 1.0).then_some(()));
    let shown = wait_for("its reply", || {
        let shown = snapshot();
        shown["recent"]["documents"][0].is_object().then_some(shown)
    });
    assert!(shown["recent"]["documents"][0]["document"].as_str().unwrap().contains("/etc/passwd"));
    let pods: Vec<&str> =
        shown["api"].as_array().unwrap().iter().map(|pod| pod["pod"].as_str().unwrap()).collect();
    assert_eq!(pods, ["api-1", "api-2", "api-3"]);
    let states: Vec<&str> = shown["programs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|program| program["state"].as_str().unwrap())
        .collect();
    assert!(states.iter().skip(1).all(|state| ["working", "idle"].contains(state)), "{states:?}");
    running.stop();
}

#[test]
fn a_root_that_is_missing_is_named() {
    let output = local_runner(&["--once", "--root", "/no/such/root"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/root"));
}
