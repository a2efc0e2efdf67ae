//! How connections are used.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use service::Shutdown;

use crate::fixture::{Directory, document, run};
use crate::server::{Answer, Http2, Server};

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_reused_and_no_sender_has_more_than_one() {
    let server = Server::start(|_| Answer::ok()).await;
    let directory = Directory::with(2_000);
    directory.drain(&server, &["--http", "1", "--concurrency", "64"]).await.assert_done(2_000, 0);
    // Each sender's first, and once more for each five seconds that a slow machine may have taken.
    assert!(server.connections() <= 64 * 4, "{}", server.connections());
    assert!(server.asked().iter().any(|asked| asked.connection == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_renewed_under_load() {
    let server = Server::slow(Duration::from_millis(2), |_| Answer::ok()).await;
    let directory = Directory::with(400);
    directory.drain(&server, &["--http", "1", "--concurrency", "1"]).await.assert_done(400, 0);
    // 400 documents take 0.8 s at the least, and the only connection there is lives 0.15 s at the most.
    assert!(server.connections() >= 5, "{}", server.connections());
    let used: BTreeSet<_> = server.asked().iter().map(|asked| asked.connection).collect();
    assert_eq!(used.len(), server.connections());
}

/// A balancer picks one of five pods for each: with sixty, none is left out but once in a hundred thousand batches.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_documents_go_over_sixty_connections_whatever_the_concurrency_and_version() {
    for (http, concurrency) in [("1", "1"), ("1", "8"), ("1", "64"), ("2", "1"), ("2", "64"), ("2", "1000")] {
        let server = Server::with_http2(Http2::Speak, |_| Answer::ok()).await;
        let directory = Directory::with(1_000);
        let arguments = ["--http", http, "--concurrency", concurrency];
        directory.drain(&server, &arguments).await.assert_done(1_000, 0);
        let used: BTreeSet<_> = server.asked().iter().map(|asked| asked.connection).collect();
        assert!(used.len() >= 60, "{arguments:?}: {}", used.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn small_batches_one_after_the_other_share_connections() {
    let server = Server::start(|_| Answer::ok()).await;
    let directory = Directory::with(5);
    for batch in 0..50 {
        let name = format!("listing-{batch:02}.json");
        fs::write(directory.path().join(name), document(batch) + "\n").unwrap();
    }
    let outcome = directory.drain(&server, &[]).await;
    assert_eq!(outcome.batches.len(), 51);
    assert_eq!(server.count(), 55);
    // Were there new ones for each batch, there would be 55.
    assert!(server.connections() <= 40, "{}", server.connections());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_load_spreads_over_all_replicas() {
    let mut servers = Vec::new();
    for _ in 0..5 {
        servers.push(Server::slow(Duration::from_millis(1), |_| Answer::ok()).await);
    }
    for replicas in [3, 5] {
        let directory = Directory::with(6_000);
        let before: Vec<_> = servers.iter().map(Server::count).collect();
        let mut config = directory.config_for("http://api", &[]);
        config.addresses = Some(servers[..replicas].iter().map(|server| server.address).collect());
        run(config, Shutdown::new()).await.assert_done(6_000, 0);
        let shares: BTreeMap<_, _> = servers[..replicas]
            .iter()
            .zip(before)
            .map(|(server, before)| (server.address, (server.count() - before) * replicas))
            .collect();
        assert!(shares.values().all(|share| (3_000..=9_000).contains(share)), "{shares:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_connection_outlives_the_run() {
    for http in ["1", "2"] {
        let server = Server::with_http2(Http2::Speak, |_| Answer::ok()).await;
        let directory = Directory::with(500);
        directory.drain(&server, &["--http", http]).await.assert_done(500, 0);
        // Idle ones would be kept for seconds.
        server.all_closed().await;
    }
}
