use std::time::Duration;

use api::Config;
use service::Shutdown;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::server::{Client, OK_BODY, PATIENT, Server, header};

/// A client whose request the server has begun to read.
async fn in_flight(server: &Server) -> Client {
    let mut client = server.connect().await;
    client.send("POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 10\r\n\r\n").await;
    assert!(client.reply().await.starts_with("HTTP/1.1 100 "));
    client
}

#[tokio::test]
async fn while_it_drains_it_accepts_and_answers_and_tells_clients_to_close() {
    let server =
        Server::start(Config { limits: PATIENT, drain: Duration::from_secs(4), ..Config::default() }).await;
    let mut known = server.connect().await;
    known.send("GET / HTTP/1.1\r\n\r\n").await;
    known.reply().await;

    server.context.shutdown.request();
    assert!(server.context.health.is_ready().is_err());
    known.send("GET / HTTP/1.1\r\n\r\n").await;
    let mut newcomer = server.connect().await;
    newcomer.send("GET / HTTP/1.1\r\n\r\n").await;
    for mut client in [known, newcomer] {
        let reply = client.rest().await;
        assert!(reply.ends_with(OK_BODY), "{reply}");
        assert_eq!(header(&reply, "connection"), Some("close"));
    }

    let address = server.address;
    server.stopped().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_is_in_flight_is_answered_and_idle_connections_are_closed() {
    let server = Server::with_limits(PATIENT).await;
    let mut busy = in_flight(&server).await;
    let mut in_head = server.connect().await;
    in_head.send("GET / HTTP/1.1\r\n\r\n").await;
    in_head.reply().await;
    in_head.send("GET / HT").await;
    let mut idle = server.connect().await;
    idle.send("GET / HTTP/1.1\r\n\r\n").await;
    idle.reply().await;
    let mut silent = server.connect().await;
    // All runs on one thread: when this is answered, the server has seen what was sent before.
    server.assert_serves().await;

    server.context.shutdown.request();
    assert_eq!(idle.rest().await, "");
    assert_eq!(silent.rest().await, "");
    busy.send("0123456789").await;
    let reply = busy.rest().await;
    assert!(reply.ends_with(OK_BODY), "{reply}");
    assert_eq!(header(&reply, "connection"), Some("close"));
    in_head.send("TP/1.1\r\n\r\n").await;
    assert!(in_head.rest().await.ends_with(OK_BODY));
    server.stopped().await;
}

#[tokio::test]
async fn connections_that_wait_to_be_accepted_are_served() {
    // One thread, and nothing awaited: the server sees connections and shutdown at once.
    let server = Server::with_limits(PATIENT).await;
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
    let server = Server::with_limits(PATIENT).await;
    let mut hanging = in_flight(&server).await;
    let requested = Instant::now();
    server.context.shutdown.request();
    server.stopped().await;
    assert!(requested.elapsed() >= Shutdown::GRACE);
    assert!(requested.elapsed() < Shutdown::GRACE + Duration::from_secs(1));
    assert_eq!(hanging.rest().await, "");
}
