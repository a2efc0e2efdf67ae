//! The images themselves.

use std::process::{Command, Output, Stdio};

use end_to_end::{program, run};
use serde_json::{Value, json};

use crate::docker::{USER, command, docker, image, images, is_ready};

/// In bytes.
const LARGEST: u64 = 15_000_000;
/// With a table engine in it.
const LARGEST_WITH_TABLES: u64 = 150_000_000;
/// As in the cluster: nothing to write to, no rights to gain.
const HARDENED: [&str; 7] = [
    "run",
    "--rm",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--network=none",
    "--env=CI",
];

/// The name of an image's program.
fn binary(image: &str) -> &str {
    if image == "sequential-job" { "sequential-job-controller" } else { image }
}

fn hardened(args: &[&str]) -> Output {
    command(&[&HARDENED, args].concat()).output().unwrap()
}

#[test]
#[ignore = "builds the images: just images"]
fn each_image_is_small_and_says_what_it_is_and_who_runs_in_it() {
    if !is_ready("each_image_is_small_and_says_what_it_is_and_who_runs_in_it") {
        return;
    }
    for service in images() {
        let found: Value = serde_json::from_str(&docker(&["image", "inspect", &image(service)])).unwrap();
        let (size, config) = (found[0]["Size"].as_u64().unwrap(), &found[0]["Config"]);
        let largest = if service == "data-pipeline" { LARGEST_WITH_TABLES } else { LARGEST };
        assert!(size <= largest, "{service}: {size} bytes");
        assert_eq!(config["User"], format!("{USER}:{USER}"), "{service}");
        assert_eq!(config["Entrypoint"], json!([format!("/{}", binary(service))]), "{service}");
        let label = |name: &str| config["Labels"][format!("org.opencontainers.image.{name}")].as_str();
        assert_eq!(label("title"), Some(service));
        assert_eq!(label("version"), Some(env!("CARGO_PKG_VERSION")), "{service}");
        assert_eq!(label("licenses"), Some("Apache-2.0"), "{service}");
        assert!(label("description").is_some_and(|text| !text.is_empty()), "{service}");
    }
}

/// An image's files with their owners; those that Docker adds to each container, all empty, are left out.
fn files(image: &str) -> Vec<(String, String)> {
    let container = docker(&["create", image]);
    let container = container.trim();
    let mut export = command(&["export", container]).stdout(Stdio::piped()).spawn().unwrap();
    let mut list = Command::new("tar");
    list.args(["--list", "--verbose", "--numeric-owner"]).stdin(export.stdout.take().unwrap());
    let listed = String::from_utf8(run(&mut list).stdout).unwrap();
    assert!(export.wait().unwrap().success());
    docker(&["rm", container]);
    let mut found = Vec::new();
    for line in listed.lines() {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [_, owner, size, _, _, path, ..] = columns.as_slice() else { panic!("{line}") };
        let of_docker = ["dev", "proc", "sys", "etc", ".dockerenv"];
        if !of_docker.contains(&path.split('/').next().unwrap()) || *size != "0" {
            found.push(((*path).to_owned(), (*owner).to_owned()));
        }
    }
    found.sort();
    found
}

#[test]
#[ignore = "builds the images: just images"]
fn each_image_holds_one_program_and_no_shell() {
    if !is_ready("each_image_holds_one_program_and_no_shell") {
        return;
    }
    for service in images() {
        let mut expected = vec![(binary(service), "0/0"), ("data/", "65532/65532")];
        if service == "getdata" {
            // The names of who owns files in it.
            expected.extend([("etc/group", "0/0"), ("etc/passwd", "0/0")]);
        }
        expected.sort_unstable();
        let found = files(&image(service));
        let found: Vec<_> = found.iter().map(|(path, owner)| (path.as_str(), owner.as_str())).collect();
        assert_eq!(found, expected);
        let shell = hardened(&["--entrypoint=/bin/sh", &image(service), "-c", "true"]);
        assert_eq!(shell.status.code(), Some(127), "{service}: {shell:?}");
    }
}

#[test]
#[ignore = "builds the images: just images"]
fn each_program_answers_in_its_image_as_it_does_outside() {
    if !is_ready("each_program_answers_in_its_image_as_it_does_outside") {
        return;
    }
    for service in images() {
        let inside = hardened(&[&image(service), "--help"]);
        assert!(inside.status.success(), "{inside:?}");
        let outside = run(Command::new(program(binary(service))).arg("--help").env_clear());
        assert_eq!(String::from_utf8(inside.stdout), String::from_utf8(outside.stdout), "{service}");
    }
}

#[test]
#[ignore = "builds the images: just images"]
fn a_stage_drains_a_fresh_volume_without_any_right() {
    if !is_ready("a_stage_drains_a_fresh_volume_without_any_right") {
        return;
    }
    let volume = docker(&["volume", "create"]);
    let mount = format!("--volume={}:/data", volume.trim());
    let listed = hardened(&[&mount, &image("getdata"), "--root", "/etc"]);
    let drained = hardened(&[&mount, &image("text-to-csv"), "--once"]);
    docker(&["volume", "rm", volume.trim()]);
    for (output, said) in [(listed, "published name=listing.txt"), (drained, "published=\"listing.csv\"")] {
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && log.contains(said), "{log}");
    }
}
