use std::time::Duration;

use service::Shutdown;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::server::{Client, OK_BODY, Server, header};

/// A client whose request the server has begun to read.
async fn in_flight(server: &Server) -> Client {
    let mut client = server.connect().await;
    client.send("POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 10\r\n\r\n").await;
    assert!(client.reply().await.starts_with("HTTP/1.1 100 "));
    client
}

#[tokio::test]
async fn what_is_in_flight_is_answered_and_idle_connections_are_closed_at_once() {
    let server = Server::start().await;
    let mut busy = in_flight(&server).await;
    let mut idle = server.connect().await;
    idle.send("GET / HTTP/1.1\r\n\r\n").await;
    idle.reply().await;
    let mut silent = server.connect().await;
    // All runs on one thread: when this is answered, the server has seen what was sent before.
    server.assert_serves().await;

    let requested = Instant::now();
    server.context.shutdown.request();
    assert!(server.context.health.is_ready().is_err());
    assert_eq!(idle.rest().await, "");
    assert_eq!(silent.rest().await, "");
    assert!(requested.elapsed() < Shutdown::GRACE / 2);
    busy.send("0123456789").await;
    let reply = busy.rest().await;
    assert!(reply.ends_with(OK_BODY), "{reply}");
    assert_eq!(header(&reply, "connection"), Some("close"));
    let address = server.address;
    server.stopped().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn connections_that_wait_to_be_accepted_are_served() {
    // One thread, and nothing awaited: the server sees connections and shutdown at once.
    let server = Server::start().await;
    server.assert_serves().await;
    let clients: Vec<std::net::TcpStream> = (0..20)
        .map(|_| {
            let mut client = std::net::TcpStream::connect(server.address).unwrap();
            std::io::Write::write_all(&mut client, b"GET / HTTP/1.1\r\n\r\n").unwrap();
            client.set_nonblocking(true).unwrap();
            client
        })
        .collect();
    server.context.shutdown.request();
    for client in clients {
        let mut client = Client(TcpStream::from_std(client).unwrap());
        assert!(client.rest().await.ends_with(OK_BODY));
    }
    server.stopped().await;
}

#[tokio::test]
async fn who_hangs_is_cut_off_when_the_grace_is_over() {
    let server = Server::start().await;
    let mut hanging = in_flight(&server).await;
    let requested = Instant::now();
    server.context.shutdown.request();
    server.stopped().await;
    assert!(requested.elapsed() >= Shutdown::GRACE);
    assert!(requested.elapsed() < Shutdown::GRACE + Duration::from_secs(1));
    assert_eq!(hanging.rest().await, "");
}
