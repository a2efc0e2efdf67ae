//! Every failure: what is said of it, the exit status, and that nothing is left.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;

use crate::{Ended, Place, ended};

/// A run over `sources` that fails in `stage`, after which only the clean-up comes.
fn fails(place: &Place, sources: &str, arguments: &[&str], expected: &str) -> Ended {
    let ended = place.run(&[&["--data-sources", sources], arguments].concat());
    assert_eq!(ended.status, Some(1), "{ended:?}");
    let failed: Vec<&str> = ended.stdout.lines().filter(|line| line.starts_with('✗')).collect();
    assert!(failed.len() == 1 && failed[0].starts_with(expected), "{expected}: {failed:?}");
    let (_, rest) = ended.stdout.split_once('✗').unwrap();
    let headings: Vec<&str> = rest.lines().filter(|line| line.starts_with("===")).collect();
    assert_eq!(headings, ["=== Stage 5: Cleanup ==="], "{ended:?}");
    assert!(ended.stdout.ends_with("\nPipeline failed.\n"), "{ended:?}");
    place.assert_clean();
    assert!(place.reports().is_empty());
    ended
}

#[test]
fn a_source_that_cannot_be_fetched_is_named_with_the_cause() {
    let place = Place::new();
    let good = place.write("good.csv", "id\n1\n");
    let sheet = place.write("a.xlsx", "");
    let missing = place.path("missing.csv").to_str().unwrap().to_owned();
    let directory = place.0.path().to_str().unwrap().to_owned();
    let at = |file: &str| format!("{directory}/{file}");
    for (source, cause) in [
        (missing.clone(), format!("(missing): failed to find {missing}: No such file or directory")),
        (at("no-*.csv"), format!("(no): no file matches {directory}/no-*.csv")),
        (sheet.clone(), format!("(a): the name of {sheet} tells neither CSV, JSON lines nor Parquet")),
        (
            directory.clone(),
            format!(
                "({}): {directory} is no file",
                place.0.path().file_name().unwrap().to_str().unwrap().trim_start_matches('.')
            ),
        ),
    ] {
        fails(&place, &format!("{good},{source}"), &[], &format!("✗ Extraction failed: source 2 {cause}"));
    }
}

#[test]
fn all_sources_that_cannot_be_fetched_are_named() {
    let place = Place::new();
    let ended = place.run(&["--data-sources", "/nowhere/a.csv,/nowhere/b.csv"]);
    let failed: Vec<&str> = ended.stdout.lines().filter(|line| line.starts_with('✗')).collect();
    assert!(failed[0].contains("source 1 (a)") && failed[1].contains("source 2 (b)"), "{failed:?}");
}

#[test]
fn a_source_that_cannot_be_read_is_named_with_the_cause() {
    let place = Place::new();
    let cases: [(&str, &[u8], &str); 8] = [
        ("a.csv", b"", "a.csv has no header"),
        ("a.csv", b"x,x\n1,2\n", "has the column `x` twice"),
        ("a.csv.gz", b"no gzip", "failed to read the header of"),
        ("a.jsonl", b"no JSON\n", "no JSON documents, one a line"),
        ("a.parquet", b"no parquet at all", "failed to read the Parquet"),
        // A length that lies: the reader panics over it in debug builds.
        ("a.parquet", b"PAR1 no parquet PAR1", ""),
        ("a.csv", b"a,b\n1\n", "1 of 1 records were rejected, more than 5% (--max-rejected)"),
        (
            "a.csv",
            b"id\n1\n1\n",
            "1 of 2 records were rejected, more than 5% (--max-rejected), mostly for: doubled key",
        ),
    ];
    for (name, content, cause) in cases {
        let source = place.write(name, content);
        let ended = fails(&place, &source, &[], "✗ Transformation failed: source 1 (a): ");
        assert!(ended.stdout.contains(cause), "{name}: {ended:?}");
    }
}

#[test]
fn what_was_rejected_can_be_looked_at_where_it_was_too_much() {
    let place = Place::new();
    let source = place.write("a.csv", "id,n\n1,1\n1,2\n");
    let ended = fails(&place, &source, &[], "✗ Transformation failed: source 1 (a): 1 of 2");
    assert!(ended.stdout.contains(&format!("they are in {}", place.path("reports/rejects-a.csv").display())));
    assert_eq!(place.rejects("a"), format!("file,line,rule,id,n\n{source},3,doubled key,1,2\n"));
}

#[test]
fn rules_that_cannot_be_checked_fail_the_stage_with_their_name() {
    let place = Place::new();
    let source = place.write("a.csv", "id,n\n1,1\n");
    for (rules, cause) in [
        ("[[rule]]\nname = 'r'\ncheck = 'm > 1'", "source 1 (a): the rule `r` cannot be checked: m > 1: "),
        ("[[rule]]\nname = 'r'\ncheck = 'n >'", "source 1 (a): the rule `r` cannot be checked: n >: "),
        (
            "[[rule]]\nname = 'r'\ncheck = 'n + 1'",
            "source 1 (a): the rule `r` is no condition: n + 1 is a value of type Int64",
        ),
        (
            "[[rule]]\nname = 'q'\ncheck = 'n > 0'\n[[rule]]\nname = 'r'\ncheck = '1 / (n - 1) > 0'",
            "source 1 (a): the rule `r` cannot be checked: 1 / (n - 1) > 0: ",
        ),
        ("[[rule]]\nname = 'r'\nsource = 'b'\ncheck = 'n > 1'", ""),
        ("[[key]]\ncolumns = ['m']", "source 1 (a): the key's column `m` is none of id, n"),
        ("rule", ""),
    ] {
        let rules = place.write("rules.toml", rules);
        fails(&place, &source, &["--rules-file", &rules], &format!("✗ Transformation failed: {cause}"));
    }
    let missing = place.path("missing.toml");
    let cause = format!("✗ Transformation failed: failed to read the rules in {}", missing.display());
    fails(&place, &source, &["--rules-file", missing.to_str().unwrap()], &cause);
}

#[test]
fn a_column_to_group_by_that_no_source_has_fails_the_aggregation() {
    let place = Place::new();
    let expected =
        "✗ Aggregation failed: no source has the column `country` of --group-by: there are id, time";
    fails(&place, "1", &["--group-by", "country"], expected);
}

#[test]
fn a_report_that_cannot_be_written_fails_its_stage() {
    let place = Place::new();
    place.write("file", "");
    let output = place.path("file/reports");
    let ended = place.run(&["--output-dir", output.to_str().unwrap()]);
    assert_eq!(ended.status, Some(1));
    assert!(ended.stdout.contains("✗ "), "{ended:?}");
    place.assert_clean();
}

#[test]
fn settings_that_make_no_sense_end_with_2() {
    let place = Place::new();
    for arguments in [
        ["--data-sources", "0"],
        ["--data-sources", "a.csv,,b.csv"],
        ["--report-format", "pdf"],
        ["--report-format", "json,json"],
        ["--max-rejected", "most"],
        ["--source-timeout", "5"],
        ["--seed", "-"],
    ] {
        let ended = place.run(&arguments);
        assert_eq!(ended.status, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(arguments[0]), "{ended:?}");
    }
    assert_eq!(place.run(&["publish"]).status, Some(2));
}

#[test]
fn an_address_that_cannot_be_read_is_not_repeated() {
    let place = Place::new();
    let ended = place.run(&["--data-sources", "https://me:secret@host:port/a.csv"]);
    assert_eq!(ended.status, Some(2));
    assert!(ended.stderr.contains("--data-sources") && !ended.stderr.contains("secret"), "{ended:?}");
}

/// A run that waits for an answer that never comes, once it says that it extracts.
fn waiting(place: &Place) -> (std::process::Child, TcpListener) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let source = format!("http://{}/a.csv", silent.local_addr().unwrap());
    let mut child = place.command(&["--data-sources", &source]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("Extracting from source 1/1")));
    (child, silent)
}

#[test]
fn a_run_beside_another_is_refused_and_takes_nothing_from_it() {
    let place = Place::new();
    let (mut child, _silent) = waiting(&place);
    for arguments in [&[][..], &["extract"], &["cleanup"]] {
        let ended = place.run(arguments);
        assert_eq!(ended.status, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("another run is at work: it holds "), "{ended:?}");
        assert_eq!(ended.stdout, "");
    }
    assert!(place.path("temp/data-pipeline/lock").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    place.succeed(&[]);
}

#[test]
fn a_run_that_is_told_to_stop_cleans_up_and_does_not_count_as_complete() {
    let place = Place::new();
    let (child, _silent) = waiting(&place);
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let ended = ended(child.wait_with_output().unwrap());
    assert_eq!(ended.status, Some(143), "{ended:?}");
    let expected = "✗ Extraction stopped\n\n=== Stage 5: Cleanup ===\nCleaning temporary files...\n\
        ✓ Cleanup completed: 0 files removed\n\nPipeline stopped.\n";
    assert!(ended.stdout.ends_with(expected), "{ended:?}");
    place.assert_clean();
}
