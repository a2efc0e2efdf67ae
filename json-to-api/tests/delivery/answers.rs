//! What the API's answers do to documents.

use std::time::{Duration, Instant};

use service::{Context, Shutdown};

use crate::fixture::{Directory, assert_keys_are_stable, document, line, lines};
use crate::server::{Answer, Server};

#[tokio::test(flavor = "multi_thread")]
async fn every_document_is_posted_once_as_the_contract_says() {
    let server = Server::start(|_| Answer::ok()).await;
    let directory = Directory::with(1_000);
    let outcome = directory.drain(&server, &[]).await;
    outcome.assert_done(1_000, 0);
    directory.assert_published();
    assert_eq!(server.count(), 1_000);
    assert_eq!(lines(&server), (1..=1_000).collect());
    assert_keys_are_stable(&[&server]);
    for asked in server.asked() {
        assert_eq!(asked.request, "POST / HTTP/1.1");
        assert_eq!(asked.body, document(line(&asked.body)));
        assert_eq!(asked.headers["content-type"], "application/json");
        assert_eq!(asked.headers["host"], server.address.to_string());
        assert_eq!(asked.headers["user-agent"], concat!("json-to-api/", env!("CARGO_PKG_VERSION")));
        assert!(asked.key().ends_with(&format!("-{}\"", line(&asked.body))), "{}", asked.key());
    }
    let printed = directory.printed();
    assert_eq!(printed.len(), 1_000);
    assert!(printed.values().all(|reply| reply == "{\"response\":\"ok\"}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_blocks_of_a_batch_are_printed_when_it_is_said_to_be_done() {
    let server = Server::start(|_| Answer::ok()).await;
    let directory = Directory::with(10);
    let (sender, mut done) = tokio::sync::mpsc::unbounded_channel();
    let context = Context::new(Shutdown::new());
    let mut setup = directory.config(&server, &[]);
    setup.config.stage.once = false;
    setup.observer = Some(sender);
    let running = tokio::spawn(setup.run(context.clone()));
    for batch in 1..=20 {
        done.recv().await.unwrap();
        assert_eq!(directory.printed().len(), batch * 10);
        directory.add((batch * 10 + 1)..=(batch * 10 + 10));
    }
    context.shutdown.request();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn path_and_query_of_the_url_are_kept_and_nothing_is_printed_without_log_docs() {
    let server = Server::start(|_| Answer::status(204)).await;
    let directory = Directory::with(3);
    let url = format!("{}/in/v1?kind=listing", server.url());
    let outcome =
        crate::fixture::run(directory.config_for(&url, &["--log-docs", "false"]), Default::default()).await;
    outcome.assert_done(3, 0);
    assert!(server.asked().iter().all(|asked| asked.request == "POST /in/v1?kind=listing HTTP/1.1"));
    assert!(directory.printed().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_or_json_refuses_is_rejected_byte_for_byte_and_in_order() {
    let server = Server::start(|asked| match line(&asked.body) {
        line if line % 100 == 0 => Answer::Reply(422, "", b"no\nsuch thing".to_vec()),
        7 => Answer::status(413),
        _ => Answer::ok(),
    })
    .await;
    let mut lines: Vec<_> = (1..=1_000).map(document).collect();
    lines[4] = "{not json}\r".to_owned();
    lines[9] = "\u{feff}{}".to_owned();
    lines[10] = String::new();
    lines[11] = " \t\r".to_owned();
    lines[19] = format!("\"{}\"", "x".repeat(3 << 20));
    let directory = Directory::holding(&lines.join("\n"));
    let outcome = directory.drain(&server, &[]).await;
    outcome.assert_done(984, 14);
    directory.assert_published();
    let rejected = directory.rejected();
    let expected: Vec<_> = [5, 7, 10, 20, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000]
        .iter()
        .map(|line| lines[line - 1].trim_end_matches('\r').to_owned())
        .collect();
    assert_eq!(rejected.iter().map(|(line, _)| line.clone()).collect::<Vec<_>>(), expected);
    assert_eq!(rejected[0].1, "not a JSON document: key must be a string at byte 2");
    assert_eq!(rejected[1].1, "answered 413 Payload Too Large: {\"response\":\"ok\"}");
    assert_eq!(rejected[3].1, "longer than 1 MiB");
    assert_eq!(rejected[4].1, "answered 422 Unprocessable Entity: no\\nsuch thing");
    assert_eq!(directory.printed().len(), 984);
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_honoured_and_holds_up_no_other_document() {
    let server = Server::start(|asked| match (line(&asked.body), asked.before) {
        (1, 0) => Answer::Reply(429, "retry-after: 2\r\n", vec![]),
        _ => Answer::ok(),
    })
    .await;
    let directory = Directory::with(200);
    let start = Instant::now();
    directory.drain(&server, &["--concurrency", "2"]).await.assert_done(200, 0);
    assert!(start.elapsed() >= Duration::from_secs(2));
    let asked = server.asked();
    assert_eq!(asked.len(), 201);
    // The others had two seconds; a machine that is very busy may not have let all of them through.
    assert!(asked.iter().position(|asked| asked.before == 1) > Some(100));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_in_flight_the_order_is_kept_through_failures() {
    let server = Server::start(|asked| match (line(&asked.body) % 10, asked.before) {
        (3, 0) => Answer::status(503),
        (5, 0) => Answer::Close,
        (7, 0) => Answer::status(404),
        (9, _) => Answer::status(400),
        _ => Answer::ok(),
    })
    .await;
    let directory = Directory::with(40);
    directory.drain(&server, &["--concurrency", "1"]).await.assert_done(36, 4);
    let mut order: Vec<_> = server.asked().iter().map(|asked| line(&asked.body)).collect();
    assert_eq!(order.len(), 40 + 3 * 4);
    assert!(order.is_sorted());
    order.dedup();
    assert_eq!(order, (1..=40).collect::<Vec<_>>());
    assert_keys_are_stable(&[&server]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_counts_as_a_wrong_set_up() {
    let other = Server::start(|_| Answer::ok()).await;
    let location: &'static str = format!("location: {}/\r\n", other.url()).leak();
    let server = Server::start(move |asked| match asked.before {
        0 => Answer::Reply(307, location, vec![]),
        _ => Answer::ok(),
    })
    .await;
    let directory = Directory::with(5);
    directory.drain(&server, &[]).await.assert_done(5, 0);
    assert_eq!((server.count(), other.count()), (10, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_of_every_kind_are_printed_on_one_line() {
    let forged = "{}\n--------------------------------------------------------------------\n\nPost doc to api: forged\n";
    let server = Server::start(move |asked| match line(&asked.body) {
        1 => Answer::Pieces(vec![
            b"HTTP/1.1 200 OK\r\ncontent-le".to_vec(),
            b"ngth: 11\r\n\r\n{\"two".to_vec(),
            b"\":1}\r\n".to_vec(),
        ]),
        2 => Answer::Reply(200, "", vec![b'x'; 2 << 20]),
        3 => Answer::Reply(200, "", forged.as_bytes().to_vec()),
        4 => Answer::Reply(200, "", b"\x1b[31m\xff".to_vec()),
        5 => Answer::Raw(vec![b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nuntil the end".to_vec()]),
        6 => Answer::Pieces(vec![
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec(),
            b"3\r\nabc\r\n0\r\n\r\n".to_vec(),
        ]),
        7 => Answer::Reply(200, "", vec![b'y'; 100 << 10]),
        _ => Answer::ok(),
    })
    .await;
    let directory = Directory::with(20);
    directory.drain(&server, &["--concurrency", "2"]).await.assert_done(20, 0);
    assert_eq!(server.count(), 20);
    let printed = directory.printed();
    let reply = |line| printed[&document(line)].as_str();
    assert_eq!(reply(1), "{\"two\":1}");
    assert_eq!(reply(2), format!("{}…", "x".repeat(16 << 10)));
    assert_eq!(reply(3), forged.trim_end().replace('\n', "\\n"));
    assert_eq!(reply(4), "\\u001b[31m\u{fffd}");
    assert_eq!(reply(5), "until the end");
    assert_eq!(reply(6), "abc");
    assert_eq!(reply(7), format!("{}…", "y".repeat(16 << 10)));
}
