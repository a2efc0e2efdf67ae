//! HTTP/2 without TLS, and how an API that does not speak it is found out.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use h2::Reason;
use service::{Context, Shutdown};
use tokio::net::TcpListener;

use crate::fixture::{Directory, assert_keys_are_stable, document, line, lines, run};
use crate::server::{Answer, Asked, Http2, Server};

#[tokio::test(flavor = "multi_thread")]
async fn every_document_is_posted_once() {
    {
        let server = Server::with_http2(Http2::Speak, |_| Answer::ok()).await;
        let directory = Directory::with(1_000);
        directory.drain(&server, &["--http", "2", "--header", "x-mine: 1"]).await.assert_done(1_000, 0);
        directory.assert_published();
        assert_eq!((server.count(), lines(&server)), (1_000, (1..=1_000).collect()));
        assert_keys_are_stable(&[&server]);
        for asked in server.asked() {
            assert_eq!(asked.request, "POST / HTTP/2");
            assert_eq!(asked.headers["content-type"], "application/json");
            assert_eq!(asked.headers["content-length"], asked.body.len().to_string());
            assert_eq!(asked.headers["host"], server.address.to_string());
            assert_eq!(asked.headers["user-agent"], concat!("json-to-api/", env!("CARGO_PKG_VERSION")));
            assert_eq!(asked.headers["x-mine"], "1");
        }
        assert!(directory.printed().values().all(|reply| reply == "{\"response\":\"ok\"}"));
        assert_eq!(directory.printed().len(), 1_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_alone_is_spoken_where_that_is_set() {
    let server = Server::with_http2(Http2::Speak, |_| Answer::ok()).await;
    let directory = Directory::with(200);
    directory.drain(&server, &["--http", "1"]).await.assert_done(200, 0);
    assert!(server.asked().iter().all(|asked| asked.request == "POST / HTTP/1.1"));
    assert_eq!(server.prefaces(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_of_http_1_is_reported_where_http_2_is_set() {
    let server = Server::with_http2(Http2::Refuse, |_| Answer::ok()).await;
    let directory = Directory::with(3);
    let context = Context::new(Shutdown::new());
    let (health, shutdown) = (context.health.clone(), context.shutdown.clone());
    let running = tokio::spawn(directory.config(&server, &["--http", "2"]).run(context));
    while !health.is_ready().is_err_and(|problem| problem.contains("api: ")) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let problem = health.is_ready().unwrap_err();
    assert!(problem.contains("failed to speak HTTP/2") && problem.contains("HTTP/1.x"), "{problem}");
    shutdown.request();
    assert!(running.await.unwrap().is_err());
    assert_eq!(server.count(), 0);
    assert!(directory.claim().join("input").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_api_gets_every_document() {
    let server = Server::with_http2(Http2::Speak, |asked| match (line(&asked.body) % 19, asked.before) {
        (0, 0) => Answer::Close,
        (1, 0) => Answer::Reset(Reason::REFUSED_STREAM),
        (2, 0) => Answer::Reset(Reason::INTERNAL_ERROR),
        (3, _) => Answer::GoAway,
        (4, 0..2) => Answer::status(503),
        (5, 0) => Answer::Reply(429, "retry-after: 1", vec![]),
        (6, 0) => Answer::Hang,
        (7, _) => Answer::status(422),
        (8, 0) => Answer::Reply(404, "", vec![b'x'; 100_000]),
        (9, _) => Answer::Reply(200, "", vec![b'x'; 200_000]),
        _ => Answer::ok(),
    })
    .await;
    let directory = Directory::with(400);
    let rejected = (1..=400).filter(|line| line % 19 == 7).count() as u64;
    directory.drain(&server, &["--http", "2", "--timeout", "1s"]).await.assert_done(400 - rejected, rejected);
    directory.assert_published();
    assert_eq!(lines(&server), (1..=400).collect());
    assert_keys_are_stable(&[&server]);
    let printed = directory.printed();
    assert!((1..=400).all(|line| printed.contains_key(&document(line)) != (line % 19 == 7)));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_in_flight_the_order_is_kept_through_failures() {
    let server = Server::with_http2(Http2::Speak, |asked| match (line(&asked.body) % 4, asked.before) {
        (0, 0) => Answer::status(503),
        (1, 0) => Answer::Close,
        (2, 0) => Answer::Reset(Reason::REFUSED_STREAM),
        _ => Answer::ok(),
    })
    .await;
    let directory = Directory::with(40);
    directory.drain(&server, &["--http", "2", "--concurrency", "1"]).await.assert_done(40, 0);
    let asked: Vec<_> = server.asked().iter().map(|asked| line(&asked.body)).collect();
    assert!(asked.is_sorted(), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_renewed_under_load_and_the_load_spreads() {
    let mut servers = Vec::new();
    for _ in 0..3 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let delay = Duration::from_millis(5);
        servers.push(Server::listen(listener, delay, None, Http2::Speak, |_| Answer::ok()));
    }
    let directory = Directory::with(20_000);
    let mut config = directory.config_for("http://api", &["--http", "2"]);
    config.addresses = Some(servers.iter().map(|server| server.address).collect());
    run(config, Shutdown::new()).await.assert_done(20_000, 0);
    // 64 at a time for 5 ms each take 1.5 s at the least, and no connection lives longer than 0.6 s.
    let connections: usize = servers.iter().map(Server::connections).sum();
    assert!(connections >= 8, "{connections}");
    let shares: BTreeMap<_, _> = servers.iter().map(|server| (server.address, server.count() * 3)).collect();
    assert!(shares.values().all(|share| (8_000..=32_000).contains(share)), "{shares:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_hangs_holds_up_no_other_document() {
    // Whatever comes on the first connection is never answered.
    let script = |asked: &Asked| if asked.connection == 0 { Answer::Hang } else { Answer::ok() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::listen(listener, Duration::from_millis(5), None, Http2::Speak, script);
    let directory = Directory::with(5_000);
    directory.drain(&server, &["--http", "2", "--timeout", "200ms"]).await.assert_done(5_000, 0);
    let hung = server.asked().iter().filter(|asked| asked.connection == 0).count();
    // No more than one client's, once each: for the next documents, before it is too old, they find another.
    assert!((1..=16).contains(&hung), "{hung}");
    assert_eq!(lines(&server), (1..=5_000).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn small_batches_one_after_the_other_share_connections() {
    let server = Server::with_http2(Http2::Speak, |_| Answer::ok()).await;
    let directory = Directory::with(5);
    for batch in 0..50 {
        let name = format!("listing-{batch:02}.json");
        fs::write(directory.path().join(name), document(batch) + "\n").unwrap();
    }
    let outcome = directory.drain(&server, &["--http", "2"]).await;
    assert_eq!(outcome.batches.len(), 51);
    assert_eq!(server.count(), 55);
    assert!(server.connections() <= 40, "{}", server.connections());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_in_mid_batch_releases_it() {
    let server =
        Server::with_http2(
            Http2::Speak,
            |asked| {
                if line(&asked.body) > 100 { Answer::Hang } else { Answer::ok() }
            },
        )
        .await;
    let directory = Directory::with(200);
    let shutdown = Shutdown::new();
    let running =
        tokio::spawn(run(directory.config(&server, &["--http", "2", "--timeout", "1s"]), shutdown.clone()));
    server.asked_at_least(120).await;
    shutdown.request();
    running.await.unwrap().assert_interrupted();
    assert!(directory.claim().join("input").exists());
    let second = Server::with_http2(Http2::Speak, |_| Answer::ok()).await;
    directory.drain(&second, &["--http", "2"]).await.assert_done(200, 0);
    assert_keys_are_stable(&[&server, &second]);
}
