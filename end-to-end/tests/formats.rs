//! Any text and any CSV, through the real programs; several chains on one volume.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test ends at the first surprise, and plays the people who drop files"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::{DataDir, Recorder, Running, program, run, stage, wait_for};
use serde_json::Value;

/// An access log of nginx, the pattern of its format, and the documents that come of it.
const LOG: &[u8] = include_bytes!("../../text-to-csv/test_data/nginx/access.txt");
const PATTERN: &str = include_str!("../../text-to-csv/test_data/nginx/pattern");
const DOCUMENTS: &str = include_str!("../../text-to-csv/test_data/nginx/access.json");

/// The names of the files in a directory, in their order.
fn files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> = entries.filter(|path| path.is_file()).collect();
    names.sort();
    names.into_iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

/// The only file in `rejected/` that is of a stage's input.
fn rejected(data: &DataDir, extension: &str) -> PathBuf {
    let directory = data.path().join("rejected");
    let end = format!(".{extension}");
    let names: Vec<_> = files(&directory).into_iter().filter(|name| name.ends_with(&end)).collect();
    let [name] = names.as_slice() else { panic!("{names:?}") };
    directory.join(name)
}

fn bodies(api: &Recorder) -> Vec<String> {
    api.posts().into_iter().map(|post| String::from_utf8(post.body).unwrap()).collect()
}

#[test]
fn an_access_log_of_nginx_goes_the_whole_way() {
    let (data, api) = (DataDir::new(), Recorder::start());
    data.put("access.txt", LOG);
    let stem = ["--once", "--stem", "access"];
    run(&mut stage("text-to-csv", data.path(), &[&stem[..], &["--pattern", PATTERN.trim_end()]].concat()));
    run(&mut stage("csv-to-json", data.path(), &[&stem[..], &["--header"]].concat()));
    let to = ["--api-url", &api.url(), "--concurrency", "1"];
    run(&mut stage("json-to-api", data.path(), &[&stem[..], &to].concat()));

    assert_eq!(bodies(&api), DOCUMENTS.lines().collect::<Vec<_>>());
    let first: Value = serde_json::from_str(&bodies(&api)[0]).unwrap();
    assert_eq!(first["status"], "200");
    let (file, expected) = (rejected(&data, "txt"), [21, 34, 42]);
    let lines: Vec<_> = LOG.split(|&byte| byte == b'\n').collect();
    let expected: Vec<u8> = expected.iter().flat_map(|&n| [lines[n - 1], b"\n"].concat()).collect();
    assert_eq!(fs::read(file).unwrap(), expected);
    assert_eq!(files(data.path()), Vec::<String>::new());
    assert_eq!(data.in_hand(), Vec::<PathBuf>::new());
}

#[test]
fn the_readmes_pattern_reads_such_a_log() {
    let readme = include_str!("../../README.md");
    let pattern = readme.split("--pattern '").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
    let data = DataDir::new();
    data.put("access.txt", LOG);
    run(&mut stage("text-to-csv", data.path(), &["--once", "--stem", "access", "--pattern", pattern]));
    let csv = fs::read_to_string(data.path().join("access.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + DOCUMENTS.lines().count(), "a header, and each record");
}

#[test]
fn rows_that_were_rejected_go_through_once_they_are_mended_and_moved_back() {
    let data = DataDir::new();
    data.put("people.csv", "name,\"year\nof birth\"\nAda,1815\nGrace\nAlan,1912,London\n");
    let args = ["--once", "--stem", "people", "--header"];
    run(&mut stage("csv-to-json", data.path(), &args));
    assert_eq!(
        fs::read_to_string(data.path().join("people.json")).unwrap(),
        "{\"name\":\"Ada\",\"year\\nof birth\":\"1815\"}\n"
    );
    let file = rejected(&data, "csv");
    let refused = fs::read_to_string(&file).unwrap();
    assert_eq!(refused, "name,\"year\nof birth\"\nGrace\nAlan,1912,London\n");
    let reasons = fs::read_to_string(format!("{}.reasons", file.display())).unwrap();
    assert_eq!(reasons, "4: expected 2 fields, found 1\n5: expected 2 fields, found 3\n");

    fs::write(&file, refused.replace("Grace", "Grace,1906").replace(",London", "")).unwrap();
    fs::rename(&file, data.path().join(file.file_name().unwrap())).unwrap();
    run(&mut stage("csv-to-json", data.path(), &args));
    let [first, second] = &files(data.path())[..] else { panic!("{:?}", files(data.path())) };
    assert!(first.starts_with("people-"));
    assert_eq!(second, "people.json");
    assert_eq!(
        fs::read_to_string(data.path().join(first)).unwrap(),
        "{\"name\":\"Grace\",\"year\\nof birth\":\"1906\"}\n{\"name\":\"Alan\",\"year\\nof birth\":\"1912\"}\n"
    );
}

#[test]
fn a_file_whose_header_cannot_be_used_is_rejected_and_goes_through_once_that_is_mended() {
    let data = DataDir::new();
    let content = "id,id\n1,\"a\n\nb\"\n2,c\n";
    data.put("x.csv", content);
    let args = ["--once", "--stem", "x", "--header"];
    run(&mut stage("csv-to-json", data.path(), &args));
    assert_eq!(files(data.path()), Vec::<String>::new());
    let file = rejected(&data, "csv");
    assert_eq!(fs::read_to_string(&file).unwrap(), content);
    let reasons = fs::read_to_string(format!("{}.reasons", file.display())).unwrap();
    assert!(reasons.starts_with("1: the header cannot be used: fields 1 and 2 have the same name `id`\n"));
    fs::remove_file(&file).unwrap();
    data.put("x.csv", content.replacen("id,id", "id,name", 1));
    run(&mut stage("csv-to-json", data.path(), &args));
    let made = fs::read_to_string(data.path().join("x.json")).unwrap();
    assert_eq!(made, "{\"id\":\"1\",\"name\":\"a\\n\\nb\"}\n{\"id\":\"2\",\"name\":\"c\"}\n");
}

#[test]
fn chains_of_two_stems_and_of_listings_share_a_volume() {
    const FILES: usize = 30;
    let data = DataDir::new();
    let chains = [
        ("a", "n=(?<n>[0-9]+)", "--header", None),
        ("a_b", "(?<first>[0-9])(?<rest>[0-9]*)", "--fields", Some("first,rest")),
    ];
    let listings = Recorder::start();
    let mut running: Vec<Running> = ["text-to-csv", "csv-to-json", "json-to-api"]
        .map(|name| {
            let url = listings.url();
            let to: &[&str] = if name == "json-to-api" { &["--api-url", &url] } else { &[] };
            Running::start(&mut stage(name, data.path(), to))
        })
        .into();
    let apis = chains.map(|(stem, pattern, named, names)| {
        let api = Recorder::start();
        let names: Vec<_> = [named].into_iter().chain(names).collect();
        for (name, own) in [
            ("text-to-csv", &["--pattern", pattern][..]),
            ("csv-to-json", &names),
            ("json-to-api", &["--api-url", &api.url()]),
        ] {
            let args = [&["--stem", stem][..], own].concat();
            running.push(Running::start(&mut stage(name, data.path(), &args)));
        }
        api
    });
    for number in 0..FILES {
        data.put(&format!("a-{number:02}.txt"), format!("n={number}\n"));
        data.put(&format!("a_b-{number:02}.txt"), format!("{number}\n"));
        data.put(
            &format!("listing-{number:02}.txt"),
            format!("-rw-r--r--    1 root     root            19 Mar 19 23:57 /{number}\n"),
        );
    }
    data.put("a_c.txt", "n=1\n");
    let all = [&listings, &apis[0], &apis[1]];
    // With a header `a_b`'s header is a record: names given know none.
    let expected = [FILES, FILES, 2 * FILES];
    wait_for("all documents", || {
        all.iter().zip(expected).all(|(api, expected)| api.count() >= expected).then_some(())
    });
    for running in running {
        running.stop();
    }
    assert_eq!(all.map(Recorder::count), expected);
    let mut numbers: Vec<_> = bodies(&apis[0]);
    numbers.sort_by_key(|body| (body.len(), body.clone()));
    assert_eq!(numbers, (0..FILES).map(|number| format!("{{\"n\":\"{number}\"}}")).collect::<Vec<_>>());
    assert!(bodies(&apis[1]).iter().all(|body| body.starts_with("{\"first\":\"")));
    assert!(bodies(&listings).iter().all(|body| body.starts_with("{\"mod\":\"-rw-r--r--\"")));
    assert_eq!(files(data.path()), ["a_c.txt"], "nobody's");
    assert_eq!(data.in_hand(), Vec::<PathBuf>::new());
}

#[test]
fn a_killed_stage_s_batch_waits_for_a_replica_of_its_own_stem() {
    let start = |data: &DataDir, stem: &str, once: &[&str]| -> Command {
        let args = [&["--stem", stem, "--pattern", "(?<n>[0-9]+)"][..], once].concat();
        stage("text-to-csv", data.path(), &args)
    };
    let caught_at_work = (0..50).find_map(|_| {
        let data = DataDir::new();
        data.put("a.txt", (0..300_000).map(|number| format!("{number}\n")).collect::<String>());
        let killed = Running::start(&mut start(&data, "a", &[]));
        // It may be done before this looks.
        let seen = || {
            data.claim("text-to-csv.a").or_else(|| Some(data.path().join("a.csv")).filter(|it| it.exists()))
        };
        wait_for("a claim", seen);
        drop(killed);
        files(data.path()).is_empty().then_some(data)
    });
    let data = caught_at_work.unwrap();

    for other in ["b", "listing", "a_"] {
        run(&mut start(&data, other, &["--once"]));
        assert!(data.claim("text-to-csv.a").is_some(), "{other} took it over");
        assert_eq!(files(data.path()), Vec::<String>::new());
    }
    run(&mut start(&data, "a", &["--once"]));
    assert_eq!(files(data.path()), ["a.csv"]);
    assert_eq!(fs::read_to_string(data.path().join("a.csv")).unwrap().lines().count(), 300_001);
    assert_eq!(data.in_hand(), Vec::<PathBuf>::new());
}

#[test]
fn settings_that_cannot_be_meant_are_refused_at_the_start() {
    for (name, args, why) in [
        ("text-to-csv", &["--pattern", "([0-9]+)"][..], "no group in it has a name"),
        ("text-to-csv", &["--pattern", "(?<a>"], "unclosed group"),
        ("csv-to-json", &["--fields", "a,a"], "fields 1 and 2 have the same name `a`"),
        ("csv-to-json", &["--fields", "a,"], "field 2 has no name"),
        ("csv-to-json", &["--header", "--fields", "a"], "cannot be used with"),
        ("json-to-api", &["--stem", "a-b"], "and no -"),
        ("text-to-csv", &["--stem", "../x"], "1 to 64 characters"),
    ] {
        let output = Command::new(program(name)).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{name} {args:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(why), "{name} {args:?}: {said}");
    }
}

#[test]
fn an_empty_variable_means_listings() {
    let data = DataDir::new();
    data.put("listing.csv", "a,b,c,d,e,f,g\n");
    let mut command = stage("csv-to-json", data.path(), &["--once"]);
    run(command.env("HEADER", "").env("FIELDS", "").env("STEM", ""));
    assert!(data.read_all("json").starts_with("{\"mod\":\"a\""));
}
