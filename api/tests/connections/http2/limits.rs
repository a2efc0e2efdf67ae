//! What one request may take, and that others on its connection go on.

use super::*;

#[tokio::test]
async fn a_body_at_the_limit_is_taken_and_a_longer_one_harms_only_its_stream() {
    let server = Server::start().await;
    let client = Client::connect(&server).await;
    let (response, mut stream) = client.begin().await;
    assert!(send_all(&mut stream, MAX_BODY).await);
    assert_ok(&whole(response).await.unwrap());

    let (response, mut stream) = client.begin().await;
    send_all(&mut stream, MAX_BODY + 1).await;
    let refusal = timeout(AGES, response).await.unwrap().unwrap();
    assert_eq!(refusal.status(), StatusCode::PAYLOAD_TOO_LARGE);
    client.assert_serves().await;
}

#[tokio::test]
async fn a_body_announced_too_long_is_refused_before_it_is_sent() {
    let server = Server::start().await;
    let client = Client::connect(&server).await;
    let length = MAX_BODY + 1;
    let request = Request::post("http://api/").header("content-length", length).body(()).unwrap();
    let (response, _stream) = client.send(request, false).await;
    assert_eq!(timeout(AGES, response).await.unwrap().unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    client.assert_serves().await;
}

#[tokio::test]
async fn headers_beyond_the_limit_are_refused_and_the_connection_goes_on() {
    let server = Server::start().await;
    let client = Client::connect(&server).await;
    let value = "x".repeat(20 << 10);
    let request = Request::get("http://api/").header("x", value).body(()).unwrap();
    let refusal = client.ask(request, None).await;
    assert_eq!(refusal.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    client.assert_serves().await;
}

#[tokio::test]
async fn who_drips_a_body_loses_that_stream_alone() {
    let server = Server::with_limits(Limits { request: SHORT, ..PATIENT }).await;
    let client = Client::connect(&server).await;
    let (response, mut stream) = client.begin().await;
    let dripping = async {
        while stream.send_data(Bytes::from_static(b"x"), false).is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    timeout(AGES, dripping).await.expect("the stream is reset");
    assert_eq!(whole(response).await.unwrap().status(), StatusCode::REQUEST_TIMEOUT);
    client.assert_serves().await;
}

#[tokio::test]
async fn who_gives_no_room_for_the_replies_is_dropped() {
    let server = Server::with_limits(Limits { idle: SHORT, ..PATIENT }).await;
    let client = Client::with(client::Builder::new().initial_window_size(0), &server).await;
    let (response, _) = client.send(post(), true).await;
    let response = timeout(AGES, response).await.unwrap().unwrap();
    let data = timeout(AGES, response.into_body().data()).await.expect("the connection ends");
    assert!(data.unwrap().is_err());
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_also_where_it_pings() {
    let server = Server::with_limits(Limits { idle: SHORT, ..PATIENT }).await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (requests, mut connection): (SendRequest<Bytes>, _) = client::handshake(stream).await.unwrap();
    let mut pings = connection.ping_pong().unwrap();
    let driver = tokio::spawn(connection);
    let pinging = async { while pings.ping(h2::Ping::opaque()).await.is_ok() {} };
    timeout(AGES, pinging).await.expect("the server closes the connection");
    // In order or not: the server may have had a ping before it.
    let _ = timeout(AGES, driver).await.expect("the connection ends").unwrap();
    drop(requests);
}

#[tokio::test]
async fn a_connection_with_a_request_in_hand_is_not_idle() {
    let server = Server::with_limits(Limits { idle: SHORT, ..PATIENT }).await;
    let client = Client::connect(&server).await;
    let (response, mut stream) = client.begin().await;
    tokio::time::sleep(3 * SHORT).await;
    stream.send_data(Bytes::from_static(b"{}"), true).unwrap();
    assert_ok(&whole(response).await.unwrap());
}

#[tokio::test]
async fn who_holds_many_requests_keeps_nobody_from_an_answer() {
    let server = Server::with_limits(Limits { requests: 10, ..PATIENT }).await;
    let many = Client::connect(&server).await;
    let mut held = Vec::new();
    for _ in 0..11 {
        held.push(many.begin().await);
    }
    let refusal = many.ask(post(), Some(Bytes::from_static(b"{}"))).await;
    assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
    server.assert_serves().await;
    Client::connect(&server).await.assert_serves().await;
    for (response, mut stream) in held {
        stream.send_data(Bytes::from_static(b"{}"), true).unwrap();
        assert_ok(&whole(response).await.unwrap());
    }
    many.assert_serves().await;
}
