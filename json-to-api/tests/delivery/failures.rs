//! An API that fails: nothing is lost, and keys stay.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use service::{Context, Health, Shutdown};
use tokio::net::TcpListener;

use crate::fixture::{Directory, assert_keys_are_stable, document, line, lines, run};
use crate::server::{Answer, Http2, Server};

/// An address at which nobody listens, on a loopback address that no other test uses.
async fn closed(ip: [u8; 4]) -> SocketAddr {
    TcpListener::bind(SocketAddr::from((ip, 0))).await.unwrap().local_addr().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_documents_reach_a_bad_api_that_gets_better() {
    let address = closed([127, 0, 7, 1]).await;
    let directory = Directory::with(1_000);
    let config = directory.config_for(&format!("http://{address}"), &["--timeout", "300ms"]);
    let running = tokio::spawn(run(config, Shutdown::new()));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let requests = AtomicUsize::new(0);
    let listener = TcpListener::bind(address).await.unwrap();
    let server = Server::listen(listener, Duration::ZERO, None, Http2::Close, move |asked| {
        match (requests.fetch_add(1, Ordering::Relaxed), line(&asked.body)) {
            (0..300, _) => Answer::status(503),
            (300..500, _) => Answer::Reply(429, "retry-after: 1\r\n", vec![]),
            (500..700, _) => Answer::status(404),
            (700..720, _) => Answer::Hang,
            (720..800, _) => Answer::Close,
            (_, line) if line % 50 == 0 => Answer::status(400),
            _ => Answer::ok(),
        }
    });
    running.await.unwrap().assert_done(980, 20);
    directory.assert_published();
    assert_eq!(lines(&server), (1..=1_000).collect());
    assert_keys_are_stable(&[&server]);
    let rejected: Vec<_> = directory.rejected().iter().map(|(document, _)| line(document)).collect();
    assert_eq!(rejected, (1..=20).map(|index| index * 50).collect::<Vec<_>>());
    let printed = directory.printed();
    assert!((1..=1_000).all(|line| printed.contains_key(&document(line)) != (line % 50 == 0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_closes_connections_at_random_gets_every_document() {
    let server = Server::start(|asked| match (line(&asked.body) * 7 + asked.before * 3) % 11 {
        0 => Answer::Close,
        1 => Answer::Raw(vec![b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ncut".to_vec()]),
        2 => Answer::Raw(vec![b"HTTP/1.1 200 O".to_vec()]),
        3 => Answer::Raw(vec![b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec()]),
        4 => Answer::Reply(200, "connection: close\r\n", b"ok".to_vec()),
        5 => Answer::Raw(vec![b"this is no HTTP at all\r\n\r\n".to_vec()]),
        _ => Answer::ok(),
    })
    .await;
    let directory = Directory::with(500);
    directory.drain(&server, &[]).await.assert_done(500, 0);
    directory.assert_published();
    assert_eq!(lines(&server), (1..=500).collect());
    assert_eq!(directory.printed().len(), 500);
    assert_keys_are_stable(&[&server]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_hangs_is_tried_again_and_holds_up_no_other() {
    let server = Server::start(|asked| match (line(&asked.body), asked.before) {
        (1 | 2, 0) => Answer::Hang,
        _ => Answer::ok(),
    })
    .await;
    let directory = Directory::with(300);
    directory.drain(&server, &["--concurrency", "4", "--timeout", "3s"]).await.assert_done(300, 0);
    let asked = server.asked();
    assert_eq!(asked.len(), 302);
    assert!(asked.iter().position(|asked| asked.before == 1) > Some(150));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_closed_while_idle_costs_no_pause() {
    // Each connection carries one request and is closed without a word after it.
    let server =
        Server::start(|_| Answer::Raw(vec![b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec()]))
            .await;
    let directory = Directory::with(300);
    let start = Instant::now();
    directory.drain(&server, &["--concurrency", "1"]).await.assert_done(300, 0);
    // Were each of them to pause, that alone would take 15 s at the least.
    assert!(start.elapsed() < Duration::from_secs(14), "{:?}", start.elapsed());
    assert_keys_are_stable(&[&server]);
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_refuse_are_passed_over() {
    let server = Server::start(|_| Answer::ok()).await;
    let directory = Directory::with(200);
    let mut config = directory.config_for("http://api.invalid", &[]);
    config.addresses = Some(vec![closed([127, 0, 7, 2]).await, server.address, closed([127, 0, 7, 3]).await]);
    run(config, Shutdown::new()).await.assert_done(200, 0);
    assert_eq!(server.count(), 200);
    assert_eq!(server.asked()[0].headers["host"], "api.invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_does_not_resolve_is_waited_for_until_the_shutdown_releases_the_batch() {
    let directory = Directory::with(10);
    let shutdown = Shutdown::new();
    let running =
        tokio::spawn(run(directory.config_for("http://no.such.host.invalid", &[]), shutdown.clone()));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!running.is_finished());
    shutdown.request();
    running.await.unwrap().assert_interrupted();
    assert!(directory.claim().join("input").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_set_up_is_a_problem_of_readiness_until_it_is_mended() {
    let mended = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let script = mended.clone();
    let server =
        Server::start(
            move |_| if script.load(Ordering::Relaxed) { Answer::ok() } else { Answer::status(404) },
        )
        .await;
    let directory = Directory::with(10);
    let context = Context::new(Shutdown::new());
    let health = context.health.clone();
    let running = tokio::spawn(directory.config(&server, &[]).run(context));
    server.asked_at_least(10).await;
    while health.is_ready().is_ok() || health.is_ready().is_err_and(|problems| problems.contains("starting"))
    {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let problem = health.is_ready().unwrap_err();
    let expected =
        format!("api: http://{}/: answered 404 Not Found: {{\"response\":\"ok\"}}", server.address);
    assert_eq!(problem, expected);
    mended.store(true, Ordering::Relaxed);
    running.await.unwrap().unwrap();
    assert_eq!(health.is_ready(), Ok(()));
    assert_eq!(lines(&server), (1..=10).collect());
}

/// Takes one write, and no other as long as the test goes on.
struct Unread(std::sync::mpsc::Receiver<()>);

impl std::io::Write for Unread {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        self.0.recv().map_err(std::io::Error::other)?;
        Ok(0)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standard_output_that_nobody_reads_is_no_reason_to_be_restarted() {
    let server = Server::start(|_| Answer::ok()).await;
    let directory = Directory::with(5_000);
    let (_reader, unread) = std::sync::mpsc::channel();
    let mut setup = directory.config(&server, &[]);
    setup.output = Arc::new(Mutex::new(Unread(unread)));
    let context = Context::new(Shutdown::new());
    let (health, shutdown) = (context.health.clone(), context.shutdown.clone());
    let running = tokio::spawn(setup.run(context));
    // As many as may be answered beyond what is saved: nothing goes on from here.
    server.asked_at_least(1_000).await;
    let stuck = Instant::now();
    while health.is_alive_at(stuck + Health::STUCK_AFTER + Duration::from_millis(1)).is_err() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(server.count() < 5_000);
    shutdown.request();
    assert!(running.await.unwrap().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_never_accepted_lets_other_files_through() {
    let server = Server::start(|asked| match line(&asked.body) {
        7 => Answer::status(500),
        _ => Answer::ok(),
    })
    .await;
    let directory = Directory::with(50);
    for file in 1..=5 {
        let name = format!("listing-{file}.json");
        std::fs::write(directory.path().join(name), document(100 * file) + "\n").unwrap();
    }
    let context = Context::new(Shutdown::new());
    let (health, metrics, shutdown) =
        (context.health.clone(), context.metrics.clone(), context.shutdown.clone());
    let running = tokio::spawn(directory.config(&server, &[]).run(context));
    let files: BTreeSet<usize> = (1..=5).map(|file| 100 * file).collect();
    while !files.is_subset(&lines(&server)) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(health.is_ready(), Ok(()));
    assert!(metrics.gather().iter().any(|family| family.name() == "pipe_resting_batches"));
    // It is tried again, with the same key, for as long as it takes.
    let attempts = |server: &Server| server.asked().iter().filter(|asked| line(&asked.body) == 7).count();
    let before = attempts(&server);
    while attempts(&server) == before {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_keys_are_stable(&[&server]);
    shutdown.request();
    assert!(running.await.unwrap().is_err());
    assert!(directory.claim().join("input").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn more_refused_attempts_than_were_ever_held_at_once_stop_nothing() {
    let server =
        Server::start(
            |asked| if line(&asked.body).is_multiple_of(2) { Answer::status(503) } else { Answer::ok() },
        )
        .await;
    let directory = Directory::with(6_000);
    let shutdown = Shutdown::new();
    let running = tokio::spawn(run(directory.config(&server, &["--log-docs", "false"]), shutdown.clone()));
    // 3,000 of them wait for their next attempt in the end.
    while lines(&server).len() < 6_000 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    shutdown.request();
    running.await.unwrap().assert_interrupted();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_set_up_stays_a_problem_while_batches_rest() {
    let server = Server::start(|_| Answer::status(401)).await;
    let directory = Directory::with(3);
    std::fs::write(directory.path().join("listing-1.json"), document(100) + "\n").unwrap();
    let context = Context::new(Shutdown::new());
    let (health, shutdown) = (context.health.clone(), context.shutdown.clone());
    let running = tokio::spawn(directory.config(&server, &[]).run(context));
    // Both files have had their turn, and one of them a second one.
    while lines(&server).len() < 4 || server.count() < 12 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let has_begun = server.asked().iter().any(|asked| asked.before > 0);
        assert!(!has_begun || health.is_ready().is_err_and(|problem| problem.contains("answered 401")));
    }
    shutdown.request();
    assert!(running.await.unwrap().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_rests_is_tried_again_though_others_wait_all_the_time() {
    let server = Server::start(|_| Answer::status(500)).await;
    let directory = Directory::with(1);
    // Still being written, for as long as the test goes on: it waits, and cannot be taken.
    let mut unfinished = std::fs::File::create(directory.path().join("listing-1.json")).unwrap();
    std::io::Write::write_all(&mut unfinished, b"{}").unwrap();
    let shutdown = Shutdown::new();
    let running = tokio::spawn(run(directory.config(&server, &[]), shutdown.clone()));
    server.asked_at_least(4).await;
    shutdown.request();
    running.await.unwrap().assert_interrupted();
    drop(unfinished);
}
