//! What holds for any bytes that a client sends: for the properties here, and for the fuzz target `request`.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than any reply takes, unless it hangs.
const AGES: Duration = Duration::from_secs(30);

/// What a reply may consist of besides its body: nothing that the client sent is among it.
const LINES: [&str; 9] = [
    "HTTP/1.1 100 Continue",
    "HTTP/1.1 200 OK",
    "HTTP/1.0 200 OK",
    "HTTP/1.1 4",
    "HTTP/1.0 4",
    "connection: ",
    "content-length: ",
    "content-type: application/json",
    "date: ",
];

/// What makes a connection HTTP/2.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Who sends `bytes` and ends its side is answered in order or not at all, and the connection ends.
pub(crate) async fn check(server: SocketAddr, bytes: &[u8], ok_body: &str) {
    let client = TcpStream::connect(server).await.unwrap();
    let (mut reader, mut writer) = client.into_split();
    let sending = async {
        // Fails where the server has seen enough.
        let _ = writer.write_all(bytes).await;
        let _ = writer.shutdown().await;
    };
    let mut reply = Vec::new();
    let answered = async { tokio::join!(sending, reader.read_to_end(&mut reply)) };
    let _ = timeout(AGES, answered).await.expect("the connection ends");
    if bytes.starts_with(PREFACE) {
        return check_frames(&reply, ok_body.as_bytes());
    }
    let reply = String::from_utf8(reply).unwrap();
    for line in reply.replace(ok_body, "\r\n").split("\r\n").filter(|line| !line.is_empty()) {
        assert!(LINES.iter().any(|start| line.starts_with(start)), "{line:?} in {reply:?}");
    }
}

/// That they are whole frames which a server may send, and that bodies are what they should be.
fn check_frames(mut reply: &[u8], ok_body: &[u8]) {
    while let Some((head, rest)) = reply.split_first_chunk::<9>() {
        let [l1, l2, l3, kind, ..] = *head;
        let length = usize::try_from(u32::from_be_bytes([0, l1, l2, l3])).unwrap();
        let (payload, rest) = rest.split_at_checked(length).expect("the frame is whole");
        match kind {
            // DATA: the client may have asked for it in pieces.
            0 => assert!(ok_body.windows(length.max(1)).any(|part| part.starts_with(payload)), "{payload:?}"),
            // HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE.
            1 | 3 | 4 | 6 | 7 | 8 => {}
            _ => panic!("a frame of type {kind}"),
        }
        reply = rest;
    }
    assert!(reply.is_empty(), "{reply:?}");
}
