//! The program itself: exit statuses, signals, standard output, kills.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::fixture::{Directory, assert_keys_are_stable, document, line, lines};
use crate::server::{Answer, Server};

fn program(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_json-to-api"));
    command.env_clear().arg("--once").args(["--settle", "1ms", "--data-dir"]).arg(directory).args(arguments);
    command
}

/// Runs the program to its end; it must fail, and say why once.
fn refusal(arguments: &[&str]) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().unwrap();
    let output: Output = program(directory.path(), arguments).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Waits for the end of a program on a thread that may block.
async fn end(mut child: Child) -> Option<i32> {
    tokio::task::spawn_blocking(move || child.wait().unwrap().code()).await.unwrap()
}

fn signal(child: &Child, signal: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
}

#[test]
fn what_cannot_be_used_is_named_with_its_setting() {
    for (arguments, named) in [
        (["--api-url", "ftp://api"], "--api-url has a scheme other than http and https"),
        (["--api-url", "http://me:secret@api"], "--api-url holds a user name or password"),
        (["--header", "Host: secret"], "--header number 1 cannot be sent: `host` cannot be set"),
        (["--header", "@/no/such/file"], "--header file `/no/such/file` cannot be read: No such file"),
        (["--ca-file", "/no/such/file"], "--ca-file `/no/such/file` cannot be read"),
        (["--data-dir", "/no/such/directory"], "/no/such/directory"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_json-to-api"));
        command.env_clear().env("DATA_DIR", directory.path()).arg("--once").args(arguments);
        let output = command.output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains(named) && !message.contains("secret"), "{message}");
        assert_eq!(message.matches("ERROR").count(), 1, "{message}");
    }
}

#[test]
fn what_the_parser_refuses_ends_with_2_and_names_its_setting() {
    for (setting, value) in [
        ("--concurrency", "0"),
        ("--concurrency", "1001"),
        ("--timeout", "0s"),
        ("--timeout", "10"),
        ("--log-docs", "maybe"),
    ] {
        let (status, message) = refusal(&[setting, value]);
        assert_eq!(status, Some(2), "{message}");
        assert!(message.contains(setting), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_sets_it_up_and_empty_variables_count_as_unset() {
    let server = Server::start(|_| Answer::ok()).await;
    let directory = Directory::with(3);
    let mut command = program(directory.path(), &[]);
    command.envs([
        ("API_URL", server.url().as_str()),
        ("HEADER", "X-A: 1\n\nX-B: 2\n"),
        ("LOG_DOCS", "false"),
    ]);
    command.envs([("CONCURRENCY", ""), ("TIMEOUT", ""), ("CA_FILE", "")]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty());
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|asked| asked.headers["x-a"] == "1" && asked.headers["x-b"] == "2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_go_to_standard_output_and_nothing_else() {
    let server = Server::start(|_| Answer::ok()).await;
    let directory = Directory::with(500);
    let mut command = program(directory.path(), &["--api-url", &server.url(), "--concurrency", "1"]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let expected: String = (1..=500)
        .map(|line| {
            format!("{}\n\nPost doc to api: {}\n{{\"response\":\"ok\"}}\n", "-".repeat(68), document(line))
        })
        .collect();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_or_full_standard_output_loses_no_document() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let full = File::options().write(true).open("/dev/full").unwrap();
    for (output, warning) in [(Stdio::from(writer), "is closed"), (Stdio::from(full), "fails")] {
        let server = Server::start(|_| Answer::ok()).await;
        let directory = Directory::with(2_000);
        let mut command = program(directory.path(), &["--api-url", &server.url()]);
        command.stdout(output).stderr(Stdio::piped());
        let output =
            tokio::task::spawn_blocking(move || command.spawn().unwrap().wait_with_output().unwrap());
        let output = output.await.unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{message}");
        assert_eq!(message.matches(warning).count(), 1, "{message}");
        assert_eq!(lines(&server), (1..=2_000).collect());
        directory.assert_published();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standard_output_that_nobody_reads_does_not_hold_up_the_shutdown() {
    let server = Server::start(|_| Answer::ok()).await;
    let directory = Directory::with(20_000);
    let mut child =
        program(directory.path(), &["--api-url", &server.url()]).stdout(Stdio::piped()).spawn().unwrap();
    let _unread = child.stdout.take().unwrap();
    // More than the pipe holds, so that the printing has begun to wait.
    server.asked_at_least(1_000).await;
    let start = Instant::now();
    signal(&child, "-TERM");
    assert_eq!(end(child).await, Some(143));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

/// All that may hold up a shutdown comes together: it has one budget for them.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_hangs_and_an_output_that_nobody_reads_together_do_not_hold_up_the_shutdown() {
    let server =
        Server::start(|asked| if line(&asked.body).is_multiple_of(50) { Answer::Hang } else { Answer::ok() })
            .await;
    let directory = Directory::with(20_000);
    let arguments = ["--api-url", &server.url(), "--timeout", "60s"];
    let mut child = program(directory.path(), &arguments).stdout(Stdio::piped()).spawn().unwrap();
    let _unread = child.stdout.take().unwrap();
    server.asked_at_least(1_000).await;
    signal(&child, "-TERM");
    // The last resort, which comes after ten seconds, is another status.
    assert_eq!(end(child).await, Some(143));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_out_longer_than_clocks_can_count_is_one() {
    let server = Server::start(|_| Answer::ok()).await;
    let directory = Directory::with(3);
    let arguments = ["--api-url", &server.url(), "--timeout", "500000000000years"];
    let child = program(directory.path(), &arguments).stdout(Stdio::null()).spawn().unwrap();
    assert_eq!(end(child).await, Some(0));
    assert_eq!(server.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_releases_the_batch_and_the_next_start_goes_on() {
    let server = Server::slow(Duration::from_millis(1), |_| Answer::ok()).await;
    let directory = Directory::with(3_000);
    let child =
        program(directory.path(), &["--api-url", &server.url(), "--log-docs", "false"]).spawn().unwrap();
    server.asked_at_least(1_000).await;
    signal(&child, "-TERM");
    assert_eq!(end(child).await, Some(143));
    let child =
        program(directory.path(), &["--api-url", &server.url(), "--log-docs", "false"]).spawn().unwrap();
    assert_eq!(end(child).await, Some(0));
    assert_eq!(server.count(), 3_000);
    directory.assert_published();
    assert_keys_are_stable(&[&server]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_kills_no_more_than_what_was_in_flight_and_a_thousand_is_sent_twice() {
    let server = Server::slow(Duration::from_millis(1), |asked| match asked.body.len() % 7 {
        0 if asked.before == 0 => Answer::status(503),
        1 => Answer::status(400),
        _ => Answer::ok(),
    })
    .await;
    let directory = Directory::with(6_000);
    let mut kills = 0;
    for stop_at in [700, 2_500, 5_500] {
        let child =
            program(directory.path(), &["--api-url", &server.url(), "--log-docs", "false"]).spawn().unwrap();
        server.asked_at_least(stop_at).await;
        signal(&child, "-KILL");
        assert_eq!(end(child).await, None);
        kills += 1;
    }
    let child =
        program(directory.path(), &["--api-url", &server.url(), "--log-docs", "false"]).spawn().unwrap();
    assert_eq!(end(child).await, Some(0));
    directory.assert_published();
    assert_eq!(lines(&server), (1..=6_000).collect());
    assert_keys_are_stable(&[&server]);

    // A document that got 503 once is meant to come twice.
    let mut times = BTreeMap::new();
    server.asked().iter().for_each(|asked| *times.entry(asked.body.clone()).or_insert(0) += 1);
    let needed = |body: &String| 1 + usize::from(body.len().is_multiple_of(7));
    let twice: usize = times.iter().map(|(body, times)| times - needed(body)).sum();
    assert!(twice <= kills * (64 + 1_000), "{twice}");
    let refused = times.keys().filter(|body| body.len() % 7 == 1).count();
    assert_eq!(directory.rejected().len(), refused);
}

/// The numbers of the documents whose blocks are whole.
fn printed(output: &str) -> BTreeSet<usize> {
    let blocks = output.split("Post doc to api: ").skip(1);
    let whole = blocks.filter_map(|block| block.split_once('\n').filter(|(_, rest)| rest.contains('\n')));
    whole.map(|(document, _)| line(document)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_the_next_run_prints_what_the_killed_one_had_not_yet_printed() {
    let server = Server::start(|_| Answer::ok()).await;
    let directory = Directory::with(6_000);
    let mut command = program(directory.path(), &["--api-url", &server.url()]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut unread = child.stdout.take().unwrap();
    // More than the pipe holds: most of the blocks are still with the program.
    server.asked_at_least(1_000).await;
    signal(&child, "-KILL");
    assert_eq!(end(child).await, None);
    let mut output = String::new();
    unread.read_to_string(&mut output).unwrap();
    let first = printed(&output);
    assert!(!first.is_empty() && first.len() < 1_000, "{}", first.len());

    let mut command = program(directory.path(), &["--api-url", &server.url()]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let second = printed(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(&first | &second, (1..=6_000).collect());
    assert_keys_are_stable(&[&server]);
    directory.assert_published();
}

#[test]
fn help_names_every_setting_and_shows_no_secret() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_json-to-api"))
        .env_clear()
        .env("HEADER", "Authorization: secret")
        .arg("--help")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut help = String::new();
    child.stdout.take().unwrap().read_to_string(&mut help).unwrap();
    assert!(child.wait().unwrap().success());
    for setting in
        ["API_URL", "CONCURRENCY", "TIMEOUT", "HEADER", "CA_FILE", "LOG_DOCS", "DATA_DIR", "ONCE", "SETTLE"]
    {
        assert!(help.contains(&format!("[env: {setting}]")), "{setting} in {help}");
    }
    for default in ["http://api]", "64]", "10s]", "true]"] {
        assert!(help.contains(&format!("[default: {default}")), "{default} in {help}");
    }
    assert!(!help.contains("secret"), "{help}");
}
