//! Ordinary requests are answered fast, all others by hyper: who asks cannot tell which it was.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::server::{AGES, Client, OK_BODY, PATIENT, Server};

/// An ordinary request that leaves its connection to hyper.
const CAREFUL: &str = "GET / HTTP/1.1\r\nconnection: keep-alive\r\n\r\n";

/// Sends `pieces`, ends its side, and reads all replies, without their dates.
async fn replies(mut client: Client, pieces: &[&[u8]]) -> String {
    client.0.set_nodelay(true).unwrap();
    let (mut reader, mut writer) = client.0.split();
    let sending = async {
        for piece in pieces {
            // Fails where the server has seen enough.
            let _ = writer.write_all(piece).await;
            tokio::task::yield_now().await;
        }
        let _ = writer.shutdown().await;
    };
    let mut replies = Vec::new();
    let reading = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut replies);
    let _ = timeout(AGES, async { tokio::join!(sending, reading) }).await.expect("the connection ends");
    let replies = String::from_utf8(replies).unwrap();
    replies.split_inclusive("\r\n").filter(|line| !line.starts_with("date: ")).collect()
}

async fn by_hyper(server: &Server, pieces: &[&[u8]]) -> String {
    let mut client = server.connect().await;
    client.send(CAREFUL).await;
    client.reply().await;
    replies(client, pieces).await
}

/// Requests, most of them ordinary.
fn requests() -> impl Strategy<Value = Vec<u8>> {
    let method = prop::sample::select(vec!["GET", "POST", "HEAD", "PUT", "x", "OPTIONS", "CONNECT", "G(T"]);
    let target = prop::sample::select(vec![
        "/",
        "/a/b?c=d&e=%20",
        "*",
        "http://x/",
        "/\"{}",
        "/\u{e4}",
        "/#",
        "",
        "x",
    ]);
    let version = prop_oneof![9 => Just("1.1"), 1 => Just("1.0")];
    let header = prop_oneof![
        4 => "[a-zA-Z-]{1,9}: ?[ -~]{0,20}",
        1 => "([cC]onnection: (close|keep-alive)|Upgrade: x|[eE]xpect: 100-continue|bad|: |x :y)",
        1 => "Content-Length: ?(0|1|5|07|\\+1|x|99999999|1, 1)",
        1 => Just("transfer-encoding: chunked".to_owned()),
    ];
    let body = prop_oneof![Just(String::new()), "[ -~\r\n]{1,40}"];
    let request = (method, target, version, prop::collection::vec(header, 0..4), body, 0..20).prop_map(
        |(method, target, version, mut headers, body, odd)| {
            // Most say how long they are.
            if !body.is_empty() && odd > 0 {
                headers.push(format!("content-length: {}", body.len()));
            }
            let target = if odd < 15 { "/" } else { target };
            let method = if odd < 15 && method.starts_with('C') { "POST" } else { method };
            let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
            format!("{method} {target} HTTP/{version}\r\n{headers}\r\n{body}").into_bytes()
        },
    );
    prop::collection::vec(request, 1..6).prop_map(|requests| requests.concat())
}

#[test]
fn replies_are_the_same_however_requests_are_read_and_wherever_they_are_split() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(Server::with_limits(PATIENT));
    let case = (requests(), prop::collection::vec(any::<prop::sample::Index>(), 0..4));
    TestRunner::new(Config { source_file: Some(file!()), ..Config::default() })
        .run(&case, |(bytes, splits)| {
            let mut ends: Vec<_> = splits.iter().map(|split| split.index(bytes.len() + 1)).collect();
            ends.extend([0, bytes.len()]);
            ends.sort_unstable();
            let pieces: Vec<_> = ends.windows(2).map(|piece| &bytes[piece[0]..piece[1]]).collect();
            let (fast, careful) = runtime.block_on(async {
                let client = server.connect().await;
                (replies(client, &pieces).await, by_hyper(&server, &pieces).await)
            });
            prop_assert_eq!(fast, careful);
            Ok(())
        })
        .unwrap();
    runtime.block_on(server.assert_serves());
}

#[tokio::test]
async fn an_ordinary_reply_is_to_the_byte_what_hyper_writes() {
    let server = Server::with_limits(PATIENT).await;
    for request in ["GET / HTTP/1.1\r\n\r\n", "HEAD / HTTP/1.1\r\n\r\n"] {
        let request = [request.as_bytes()];
        let fast = replies(server.connect().await, &request).await;
        assert!(fast.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"), "{fast}");
        assert_eq!(fast, by_hyper(&server, &request).await);
    }
}

#[tokio::test]
async fn a_body_that_comes_after_its_head_is_waited_for() {
    let server = Server::with_limits(PATIENT).await;
    let mut client = server.connect().await;
    for length in [1, 1000, 16_000, 20_000] {
        client.send(format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n")).await;
        // All runs on one thread: when this is answered, the server has seen what was sent before.
        server.assert_serves().await;
        for piece in vec![b'x'; length].chunks(length.div_ceil(3)) {
            client.send(piece).await;
            server.assert_serves().await;
        }
        assert!(client.reply().await.ends_with(OK_BODY), "{length}");
    }
}

#[tokio::test]
async fn many_requests_in_one_packet_are_answered_in_order() {
    let server = Server::with_limits(PATIENT).await;
    let requests = "GET / HTTP/1.1\r\n\r\n".repeat(5000) + "HEAD / HTTP/1.1\r\n\r\n";
    let replies = replies(server.connect().await, &[requests.as_bytes()]).await;
    assert_eq!(replies.matches("HTTP/1.1 200 OK\r\n").count(), 5001);
    assert_eq!(replies.matches(OK_BODY).count(), 5000);
    assert!(replies.ends_with("\r\n\r\n"), "the last reply has no body");
}
