use std::time::Duration;

use service::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::timeout;

use crate::server::{AGES, Client, PATIENT, Server};

const SHORT: Duration = Duration::from_millis(100);

/// What makes a connection HTTP/2.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `:method: POST`, `:scheme: http`, `:path: /`.
const POST: &[u8] = &[0x83, 0x86, 0x84];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A client that has said hello.
async fn greet(server: &Server) -> Client {
    let mut client = server.connect().await;
    client.send([PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await;
    client
}

/// Reads the next frame of type `kind`: its stream and payload; none where the connection ends before.
async fn next(client: &mut Client, kind: u8) -> Option<(u32, Vec<u8>)> {
    let reading = async {
        loop {
            let mut head = [0; 9];
            client.0.read_exact(&mut head).await.ok()?;
            let [l1, l2, l3, found, _, stream @ ..] = head;
            let mut payload = vec![0; usize::try_from(u32::from_be_bytes([0, l1, l2, l3])).unwrap()];
            client.0.read_exact(&mut payload).await.ok()?;
            if found == kind {
                return Some((u32::from_be_bytes(stream), payload));
            }
        }
    };
    timeout(AGES, reading).await.expect("a frame, or the end")
}

/// The reason in a frame that bears one.
fn reason(payload: &[u8]) -> u8 {
    payload[if payload.len() > 4 { 7 } else { 3 }]
}

#[tokio::test]
async fn a_preface_that_never_ends_is_not_waited_for() {
    let server = Server::with_limits(Limits { idle: SHORT, ..PATIENT }).await;
    let mut slow = server.connect().await;
    slow.send(&PREFACE[..PREFACE.len() - 1]).await;
    assert_eq!(slow.rest().await, "");
    server.assert_serves().await;
}

#[tokio::test]
async fn who_is_idle_for_too_long_is_told_what_was_taken() {
    let server = Server::with_limits(Limits { idle: SHORT, ..PATIENT }).await;
    let mut client = greet(&server).await;
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, POST)).await;
    // At first, that no more are taken than were sent before a ping comes back.
    let (_, payload) = next(&mut client, GOAWAY).await.unwrap();
    assert_eq!(payload, [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    let (_, ping) = next(&mut client, PING).await.unwrap();
    client.send(frame(PING, 1, 0, &ping)).await;
    let (_, payload) = next(&mut client, GOAWAY).await.unwrap();
    assert_eq!(payload, [0, 0, 0, 1, 0, 0, 0, 0]);
    assert_eq!(next(&mut client, GOAWAY).await, None);
}

#[tokio::test]
async fn ten_thousand_rapid_resets_harm_nobody() {
    let server = Server::with_limits(PATIENT).await;
    let mut client = greet(&server).await;
    let mut sent = Vec::new();
    for number in 0..10_000 {
        let stream = 2 * number + 1;
        sent.extend(frame(HEADERS, END_HEADERS | END_STREAM, stream, POST));
        sent.extend(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
    }
    // Fails where the server has seen enough.
    let _ = client.0.write_all(&sent).await;
    server.assert_serves().await;
    const ENHANCE_YOUR_CALM: u8 = 11;
    let (_, payload) = next(&mut client, GOAWAY).await.unwrap();
    assert_eq!(reason(&payload), ENHANCE_YOUR_CALM);
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused_and_the_others_answered() {
    let server = Server::with_limits(PATIENT).await;
    let mut client = greet(&server).await;
    let open = |number: u32| frame(HEADERS, END_HEADERS, 2 * number + 1, POST);
    client.send((0..300).flat_map(open).collect::<Vec<_>>()).await;
    const REFUSED_STREAM: u8 = 7;
    for number in 100..300 {
        let (stream, payload) = next(&mut client, RST_STREAM).await.unwrap();
        assert_eq!((stream, reason(&payload)), (2 * number + 1, REFUSED_STREAM));
    }
    client.send(frame(DATA, END_STREAM, 1, b"{}")).await;
    assert_eq!(next(&mut client, DATA).await.unwrap().0, 1);
    server.assert_serves().await;
}

#[tokio::test]
async fn a_head_without_end_ends_the_connection() {
    let server = Server::with_limits(Limits { idle: SHORT, ..PATIENT }).await;
    let mut client = greet(&server).await;
    let piece = vec![0; 16 << 10];
    client.send(frame(HEADERS, 0, 1, POST)).await;
    let sending = async { while client.0.write_all(&frame(CONTINUATION, 0, 1, &piece)).await.is_ok() {} };
    timeout(AGES, sending).await.expect("the server closes the connection");
    server.assert_serves().await;
}

#[tokio::test]
async fn who_never_reads_is_dropped_whatever_it_sends() {
    let server = Server::with_limits(Limits { idle: SHORT, ..PATIENT }).await;
    for sent in [frame(PING, 0, 0, &[0; 8]), frame(SETTINGS, 0, 0, &[]), frame(HEADERS, 5, 1, POST)] {
        let socket = TcpSocket::new_v4().unwrap();
        // Little that the system takes in its stead.
        socket.set_recv_buffer_size(4096).unwrap();
        let mut deaf = Client(socket.connect(server.address).await.unwrap());
        deaf.send([PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await;
        // Room for all replies.
        deaf.send(frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0, 0, 0])).await;
        let mut number = 1;
        let sending = async {
            loop {
                let mut batch = sent.repeat(100);
                for frame in batch.chunks_mut(sent.len()).filter(|frame| frame[3] == HEADERS) {
                    frame[5..9].copy_from_slice(&u32::to_be_bytes(number));
                    number += 2;
                }
                if deaf.0.write_all(&batch).await.is_err() {
                    break;
                }
            }
        };
        timeout(AGES, sending).await.expect("the server closes the connection");
    }
    server.assert_serves().await;
}
