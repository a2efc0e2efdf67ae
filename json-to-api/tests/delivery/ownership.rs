//! Restarts and takeovers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use service::Shutdown;

use crate::fixture::{Directory, assert_keys_are_stable, line, lines, run};
use crate::server::{Answer, Server};

#[tokio::test(flavor = "multi_thread")]
async fn a_released_batch_goes_on_where_it_stopped() {
    let server = Server::slow(Duration::from_millis(1), |asked| match line(&asked.body) % 10 {
        0 => Answer::status(400),
        _ => Answer::ok(),
    })
    .await;
    let directory = Directory::with(3_000);
    for (stop_at, input) in [(500, "input"), (1_700, "input-2")] {
        let shutdown = Shutdown::new();
        let running = tokio::spawn(run(directory.config(&server, &[]), shutdown.clone()));
        server.asked_at_least(stop_at).await;
        shutdown.request();
        running.await.unwrap().assert_interrupted();
        assert!(directory.claim().join(input).exists());
    }
    directory.drain(&server, &[]).await.assert_done(2_700, 300);
    directory.assert_published();
    // What was in flight was waited for, and what was answered was saved.
    assert_eq!(server.count(), 3_000);
    assert_eq!(lines(&server).len(), 3_000);
    assert_keys_are_stable(&[&server]);
    let rejected: Vec<_> = directory.rejected().iter().map(|(document, _)| line(document)).collect();
    assert_eq!(rejected, (1..=300).map(|index| index * 10).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_at_the_shutdown_is_sent_again_by_the_next_owner() {
    let server = Server::start(|asked| match (line(&asked.body), asked.before) {
        (13, 0) => Answer::Hang,
        _ => Answer::ok(),
    })
    .await;
    let directory = Directory::with(100);
    let shutdown = Shutdown::new();
    let running = tokio::spawn(run(directory.config(&server, &["--timeout", "60s"]), shutdown.clone()));
    server.asked_at_least(100).await;
    shutdown.request();
    running.await.unwrap().assert_interrupted();
    directory.drain(&server, &[]).await.assert_done(100, 0);
    assert_eq!(server.count(), 101);
    assert_eq!(line(&server.asked()[100].body), 13);
    assert_keys_are_stable(&[&server]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_whose_batch_was_taken_over_sends_nothing_more() {
    let server = Server::slow(Duration::from_millis(1), |_| Answer::ok()).await;
    let directory = Directory::with(20_000);
    let running = tokio::spawn(run(directory.config(&server, &["--concurrency", "8"]), Shutdown::new()));
    server.asked_at_least(200).await;
    let claim = directory.claim();
    // Out of every stage's sight, so that nobody carries on.
    let elsewhere = tempfile::tempdir_in(directory.path().parent().unwrap()).unwrap();
    exchange(&claim, &elsewhere.path().join("taken"));
    let outcome = running.await.unwrap();
    assert!(outcome.batches.is_empty());
    let sent = server.count();
    assert!(sent < 20_000, "{sent}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.count(), sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_journal_counts_up_to_the_damage() {
    let server = Server::slow(Duration::from_millis(1), |asked| match line(&asked.body) % 100 {
        0 => Answer::status(400),
        _ => Answer::ok(),
    })
    .await;
    let directory = Directory::with(3_000);
    let shutdown = Shutdown::new();
    let running = tokio::spawn(run(directory.config(&server, &[]), shutdown.clone()));
    server.asked_at_least(2_000).await;
    shutdown.request();
    running.await.unwrap().assert_interrupted();
    let journal = journal(&directory.claim());
    let mut bytes = fs::read(&journal).unwrap();
    // Behind its end there is room.
    let half = bytes.iter().rposition(|byte| *byte != 0).unwrap() / 2;
    bytes[half] ^= 1;
    fs::write(&journal, bytes).unwrap();
    directory.drain(&server, &[]).await.assert_done(2_970, 30);
    directory.assert_published();
    assert!(server.count() > 3_000);
    assert_eq!(lines(&server).len(), 3_000);
    assert_keys_are_stable(&[&server]);
    let rejected: Vec<_> = directory.rejected().iter().map(|(document, _)| line(document)).collect();
    assert_eq!(rejected, (1..=30).map(|index| index * 100).collect::<Vec<_>>());
}

fn journal(claim: &Path) -> PathBuf {
    let files: BTreeMap<_, _> = fs::read_dir(claim)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .filter(|(name, _)| name.starts_with("journal."))
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.into_values().next().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "plays another worker, or a fault of the volume")]
fn exchange(from: &Path, to: &Path) {
    fs::rename(from, to).unwrap();
}
