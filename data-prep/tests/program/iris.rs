//! What is published, and what the settings say.

use std::fs;
use std::process::Command;

use crate::server::Server;
use crate::{NAMES, Place, assert_fetches_iris, cleaned, data_prep, iris, run};

#[test]
fn the_iris_data_is_published_with_its_header_and_one_line_says_so() {
    let (place, server) = (Place::new(), Server::with(iris()));
    let (output, log) = run(&mut place.data_prep(&server.url("/iris.data")));
    assert_eq!(output.status.code(), Some(0), "{log}");
    let said = String::from_utf8(output.stdout).unwrap();
    let seconds = said.strip_prefix("iris.csv: 4551 bytes, 150 rows, 0 rejected, ").expect(&said);
    seconds.strip_suffix(" s\n").expect(&said).parse::<f64>().expect(&said);
    assert_eq!(place.published(), [("iris.csv".to_owned(), cleaned())]);
    place.assert_nothing_in_hand();
}

#[test]
fn while_one_waits_the_next_has_an_id_and_replaces_nothing() {
    let (place, server) = (Place::new(), Server::with(iris()));
    fs::write(place.path().join("iris.csv"), "waiting").unwrap();
    let (output, log) = run(&mut place.data_prep(&server.url("/")));
    assert_eq!(output.status.code(), Some(0), "{log}");
    let published = place.published();
    assert_eq!(published[0], ("iris.csv".to_owned(), "waiting".to_owned()));
    assert!(published[1].0.starts_with("iris-") && published[1].1 == cleaned(), "{published:?}");
    assert!(output.stdout.starts_with(published[1].0.as_bytes()));
}

#[test]
fn rows_that_do_not_fit_are_set_aside_with_their_line_numbers_and_reasons() {
    let mut data = iris();
    data.extend_from_slice(b"5.1,3.5\n\xff,1,2,3,x\n");
    let (place, server) = (Place::new(), Server::with(data));
    let (output, log) = run(&mut place.data_prep(&server.url("/")));
    assert_eq!(output.status.code(), Some(0), "{log}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains(" 150 rows, 2 rejected, "), "{said}");
    assert_eq!(place.published()[0].1, cleaned());
    let reasons = "152: expected 5 fields, found 2\n153: expected utf-8, byte 1 is not\n";
    assert_eq!(place.rejected(), [format!("{NAMES}\n5.1,3.5\n\u{fffd},1,2,3,x\n"), reasons.to_owned()]);
}

#[test]
fn without_names_the_first_row_is_the_header() {
    let (place, server) = (Place::new(), Server::with(cleaned()));
    assert_fetches_iris(&place, &mut place.with_header(&server.url("/")));
}

#[test]
fn settings_come_from_variables_too_and_empty_ones_are_unset() {
    let (place, server) = (Place::new(), Server::with(iris()));
    let mut command = data_prep();
    command.env("DATA_DIR", place.path()).env("URL", server.url("/")).env("NAMES", NAMES);
    command.env("OUTPUT", "iris.csv").env("SHA256", "").env("MAX_BYTES", "");
    assert_fetches_iris(&place, &mut command);
}

#[test]
fn what_the_parser_refuses_gives_2_and_names_the_setting() {
    for (setting, value) in [
        ("--output", "iris"),
        ("--output", "../iris.csv"),
        ("--names", "a,,b"),
        ("--names", "a,a"),
        ("--sha256", "abc"),
        ("--max-bytes", "many"),
        ("--timeout", "0s"),
        ("--attempts", "0"),
    ] {
        let place = Place::new();
        let mut command = data_prep();
        command.env("URL", "http://127.0.0.1:1/").env("OUTPUT", "x.csv");
        let (output, log) = run(command.arg(format!("{setting}={value}")));
        assert_eq!(output.status.code(), Some(2), "{log}");
        assert!(log.contains(setting), "{log}");
        place.assert_untouched();
    }
}

#[test]
fn a_missing_data_directory_is_named_and_nothing_is_asked_for() {
    let (place, server) = (Place::new(), Server::with(iris()));
    let missing = place.path().join("missing");
    let (output, log) = run(data_prep().arg("--data-dir").arg(&missing).args([
        "--url",
        &server.url("/"),
        "--output",
        "iris.csv",
    ]));
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains(missing.to_str().unwrap()) && log.contains("--data-dir"), "{log}");
    assert_eq!(server.requests(), []);
}

/// `script` gives it a terminal, and prints what that is to show.
#[test]
fn on_a_terminal_a_bar_shows_how_far_it_is() {
    let has_script = Command::new("script").arg("--version").output().is_ok();
    assert!(has_script || std::env::var_os("CI").is_none(), "CI must have script (bsdutils)");
    if !has_script {
        eprintln!("skipped: there is no script (bsdutils)");
        return;
    }
    let (place, server) = (Place::new(), Server::with(iris()));
    let fetch = place.data_prep(&server.url("/iris.data"));
    let words = std::iter::once(fetch.get_program()).chain(fetch.get_args());
    let line: Vec<&str> = words.map(|word| word.to_str().unwrap()).collect();
    let mut shell = Command::new("script");
    let terminal = shell.args(["-qec", &line.join(" "), "/dev/null"]).env("TERM", "xterm").output().unwrap();
    let shown = String::from_utf8(terminal.stdout).unwrap();
    assert!(terminal.status.success() && shown.contains("4.44 KiB"), "{shown}");
    let (_, log) = run(&mut place.data_prep(&server.url("/iris.data")));
    assert!(!log.contains("KiB"), "{log}");
}
