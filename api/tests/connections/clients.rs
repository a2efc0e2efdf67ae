use std::time::Duration;

use service::Limits;
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
    let server = Server::with_limits(Limits { idle: SHORT, ..PATIENT }).await;
    let mut silent = server.connect().await;
    server.assert_serves().await;
    assert_eq!(silent.rest().await, "");
}

#[tokio::test]
async fn who_drips_a_head_is_dropped() {
    let server = Server::with_limits(Limits { idle: SHORT, ..PATIENT }).await;
    let mut slow = server.connect().await;
    slow.send("GET / HTTP/1.1\r\nx: ").await;
    drip(&mut slow).await;
    server.assert_serves().await;
}

#[tokio::test]
async fn who_drips_a_body_is_dropped() {
    let server = Server::with_limits(Limits { idle: SHORT, request: SHORT, ..PATIENT }).await;
    let mut slow = server.connect().await;
    slow.send("POST / HTTP/1.1\r\ncontent-length: 1000000\r\n\r\n").await;
    assert!(slow.reply().await.starts_with("HTTP/1.1 408 "));
    drip(&mut slow).await;
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
    let server = Server::with_limits(Limits { idle: SHORT, ..PATIENT }).await;
    let mut deaf = server.connect().await;
    let requests = "GET / HTTP/1.1\r\n\r\n".repeat(1000);
    let asking = async { while deaf.0.write_all(requests.as_bytes()).await.is_ok() {} };
    timeout(AGES, asking).await.expect("the server closes the connection");
    server.assert_serves().await;
}

#[tokio::test]
async fn more_idle_connections_than_there_is_room_for_keep_nobody_from_an_answer() {
    let server = Server::with_limits(Limits { connections: 20, idle: 30 * SHORT, ..PATIENT }).await;
    let mut crowd = Vec::new();
    for number in 0..100 {
        let mut client = server.connect().await;
        // Some have been answered, some have begun to ask, some say nothing.
        match number % 3 {
            0 => {
                client.send("GET / HTTP/1.1\r\n\r\n").await;
                assert!(client.reply().await.ends_with(OK_BODY));
            }
            1 => client.send("GET / HT").await,
            _ => {}
        }
        crowd.push(client);
    }
    server.assert_serves().await;
    // Who came first went first.
    assert_eq!(crowd[0].rest().await, "");
}

#[tokio::test]
async fn a_busy_connection_is_never_closed_to_make_room() {
    let server = Server::with_limits(Limits { connections: 20, idle: 30 * SHORT, ..PATIENT }).await;
    let mut busy = server.connect().await;
    busy.send("POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\nhalf").await;
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(server.connect().await);
    }
    server.assert_serves().await;
    busy.send("-other").await;
    assert!(busy.reply().await.ends_with(OK_BODY));
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
