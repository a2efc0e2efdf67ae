use tokio::io::AsyncWriteExt;

use crate::server::Server;

const MAX_BODY: usize = 2 << 20;

fn status(reply: &str) -> &str {
    reply.split(' ').nth(1).unwrap_or("none")
}

#[tokio::test]
async fn a_body_announced_too_long_is_refused_before_it_is_sent() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let length = MAX_BODY + 1;
    client.send(format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n")).await;
    let reply = client.reply().await;
    assert_eq!(status(&reply), "413");
    client.0.shutdown().await.unwrap();
    assert_eq!(client.rest().await, "");
    server.assert_serves().await;
}

#[tokio::test]
async fn who_sends_all_of_a_long_body_before_reading_still_gets_the_refusal() {
    let server = Server::start().await;
    let body = vec![b'x'; 8 * MAX_BODY];
    let mut announced = server.connect().await;
    announced.send(format!("POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n", body.len())).await;
    announced.send(&body).await;
    assert_eq!(status(&announced.reply().await), "413");

    let mut chunked = server.connect().await;
    chunked.send("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for chunk in body.chunks(MAX_BODY / 4) {
        chunked.send(format!("{:x}\r\n", chunk.len())).await;
        chunked.send(chunk).await;
        chunked.send("\r\n").await;
    }
    chunked.send("0\r\n\r\n").await;
    assert_eq!(status(&chunked.reply().await), "413");
}

#[tokio::test]
async fn a_body_at_the_limit_is_taken() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.send(format!("POST / HTTP/1.1\r\ncontent-length: {MAX_BODY}\r\n\r\n")).await;
    client.send(vec![b'x'; MAX_BODY]).await;
    assert_eq!(status(&client.reply().await), "200");
}

#[tokio::test]
async fn a_head_without_end_is_refused_also_to_who_does_not_read_meanwhile() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nx: ").await;
    client.send(vec![b'x'; 1 << 20]).await;
    assert_eq!(status(&client.reply().await), "431");
}
