use std::time::Duration;

use api::Limits;
use tokio::io::AsyncWriteExt;
use tokio::time::{interval, timeout};

use crate::server::{AGES, Client, OK_BODY, PATIENT, Server};

const SHORT: Duration = Duration::from_millis(100);

/// Sends a byte every few milliseconds until the server closes the connection.
async fn drip(client: &mut Client) {
    let mut pace = interval(SHORT / 10);
    let dripping = async {
        while client.0.write_all(b"x").await.is_ok() {
            pace.tick().await;
        }
    };
    timeout(AGES, dripping).await.expect("the server closes the connection");
}

#[tokio::test]
async fn who_connects_and_says_nothing_is_dropped() {
    let server = Server::with_limits(Limits { head: SHORT, ..PATIENT }).await;
    let mut silent = server.connect().await;
    server.assert_serves().await;
    assert_eq!(silent.rest().await, "");
}

#[tokio::test]
async fn who_drips_a_head_is_dropped() {
    let server = Server::with_limits(Limits { head: SHORT, ..PATIENT }).await;
    let mut slow = server.connect().await;
    slow.send("GET / HTTP/1.1\r\nx: ").await;
    drip(&mut slow).await;
    server.assert_serves().await;
}

#[tokio::test]
async fn who_drips_the_head_of_a_further_request_is_dropped() {
    let server = Server::with_limits(Limits { head: SHORT, ..PATIENT }).await;
    let mut slow = server.connect().await;
    slow.send("GET / HTTP/1.1\r\n\r\n").await;
    slow.reply().await;
    slow.send("GET / HTTP/1.1\r\nx: ").await;
    drip(&mut slow).await;
}

#[tokio::test]
async fn who_stops_in_the_middle_of_a_body_is_dropped() {
    let server = Server::with_limits(Limits { stall: SHORT, ..PATIENT }).await;
    let mut stalled = server.connect().await;
    stalled.send("POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\nhalf").await;
    server.assert_serves().await;
    assert_eq!(stalled.rest().await, "");
}

#[tokio::test]
async fn who_drips_a_body_is_dropped() {
    let server = Server::with_limits(Limits { body: SHORT, ..PATIENT }).await;
    let mut slow = server.connect().await;
    slow.send("POST / HTTP/1.1\r\ncontent-length: 1000000\r\n\r\n").await;
    drip(&mut slow).await;
}

#[tokio::test]
async fn who_was_refused_and_never_ends_is_dropped() {
    let server = Server::with_limits(Limits { body: SHORT, ..PATIENT }).await;
    let mut endless = server.connect().await;
    endless.send("POST / HTTP/1.1\r\ncontent-length: 1000000000\r\n\r\n").await;
    assert!(endless.reply().await.starts_with("HTTP/1.1 413 "));
    drip(&mut endless).await;
}

#[tokio::test]
async fn a_connection_without_requests_is_closed() {
    let server = Server::with_limits(Limits { idle: SHORT, ..PATIENT }).await;
    let mut idle = server.connect().await;
    idle.send("GET / HTTP/1.1\r\n\r\n").await;
    assert!(idle.reply().await.ends_with(OK_BODY));
    assert_eq!(idle.rest().await, "");
}

#[tokio::test]
async fn who_never_reads_the_replies_is_dropped() {
    let server = Server::with_limits(Limits { stall: SHORT, ..PATIENT }).await;
    let mut deaf = server.connect().await;
    let requests = "GET / HTTP/1.1\r\n\r\n".repeat(1000);
    let asking = async { while deaf.0.write_all(requests.as_bytes()).await.is_ok() {} };
    timeout(AGES, asking).await.expect("the server closes the connection");
    server.assert_serves().await;
}

#[tokio::test]
async fn who_asks_and_ends_its_side_is_answered() {
    let server = Server::with_limits(PATIENT).await;
    let mut half_closed = server.connect().await;
    half_closed.send("POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}").await;
    half_closed.0.shutdown().await.unwrap();
    assert!(half_closed.rest().await.ends_with(OK_BODY));
}

#[tokio::test]
async fn who_ends_its_side_in_the_middle_is_let_go() {
    let server = Server::with_limits(PATIENT).await;
    for half in ["", "GET / HT", "POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\nhalf"] {
        let mut half_closed = server.connect().await;
        half_closed.send(half).await;
        half_closed.0.shutdown().await.unwrap();
        assert!(!half_closed.rest().await.contains("200 OK"));
    }
    server.assert_serves().await;
}

#[tokio::test]
async fn hundreds_of_slow_clients_stop_nobody() {
    let server = Server::with_limits(PATIENT).await;
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut client = server.connect().await;
        client.send("POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\nhalf").await;
        slow.push(client);
    }
    server.assert_serves().await;
    for mut client in slow {
        client.send("-other").await;
        assert!(client.reply().await.ends_with(OK_BODY));
    }
}
