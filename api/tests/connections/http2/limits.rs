//! What one request may take, and that others on its connection go on.

use super::*;

#[tokio::test]
async fn a_body_at_the_limit_is_taken_and_a_longer_one_harms_only_its_stream() {
    let server = Server::with_limits(PATIENT).await;
    let client = Client::connect(&server).await;
    let (response, mut stream) = client.begin().await;
    assert!(send_all(&mut stream, MAX_BODY).await);
    assert_ok(&whole(response).await.unwrap());

    let (response, mut stream) = client.begin().await;
    send_all(&mut stream, MAX_BODY + 1).await;
    let refusal = timeout(AGES, response).await.unwrap().unwrap();
    assert_eq!(refusal.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(refusal.headers().get("connection"), None);
    client.assert_serves().await;
}

#[tokio::test]
async fn who_sends_on_after_a_refusal_is_told_that_it_is_in_vain() {
    let server = Server::with_limits(PATIENT).await;
    let client = Client::connect(&server).await;
    let (response, mut stream) = client.begin().await;
    assert!(!send_all(&mut stream, 8 * MAX_BODY).await);
    let reset = poll_fn(|cx| stream.poll_reset(cx)).await.unwrap();
    assert_eq!(reset, Reason::NO_ERROR);
    assert_eq!(whole(response).await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    client.assert_serves().await;
}

#[tokio::test]
async fn a_body_announced_too_long_is_refused_before_it_is_sent() {
    let server = Server::with_limits(PATIENT).await;
    let client = Client::connect(&server).await;
    let length = MAX_BODY + 1;
    let request = Request::post("http://api/").header("content-length", length).body(()).unwrap();
    let (response, _stream) = client.send(request, false).await;
    assert_eq!(timeout(AGES, response).await.unwrap().unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    client.assert_serves().await;
}

#[tokio::test]
async fn a_body_that_is_not_what_was_announced_harms_only_its_stream() {
    let server = Server::with_limits(PATIENT).await;
    let client = Client::connect(&server).await;
    let request = Request::post("http://api/").header("content-length", 10).body(()).unwrap();
    let (response, mut stream) = client.send(request, false).await;
    stream.send_data(Bytes::from_static(b"half"), true).unwrap();
    assert!(is_reset(&whole(response).await.unwrap_err(), Reason::PROTOCOL_ERROR));
    client.assert_serves().await;
}

#[tokio::test]
async fn who_takes_a_request_back_harms_no_other() {
    let server = Server::with_limits(PATIENT).await;
    let client = Client::connect(&server).await;
    for _ in 0..500 {
        let (response, mut stream) = client.begin().await;
        stream.send_data(Bytes::from_static(b"half"), false).unwrap();
        stream.send_reset(Reason::CANCEL);
        drop(response);
        client.assert_serves().await;
    }
}

#[tokio::test]
async fn headers_beyond_the_limit_are_refused_and_the_connection_goes_on() {
    let server = Server::with_limits(PATIENT).await;
    let client = Client::connect(&server).await;
    let value = "x".repeat(20 << 10);
    let request = Request::get("http://api/").header("x", value).body(()).unwrap();
    let refusal = client.ask(request, None).await;
    assert_eq!(refusal.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    client.assert_serves().await;
}

#[tokio::test]
async fn a_reply_comes_in_pieces_to_who_gives_little_room() {
    let server = Server::with_limits(PATIENT).await;
    let client = Client::with(client::Builder::new().initial_window_size(3), &server).await;
    let (one, other) = tokio::join!(client.ask(post(), None), client.ask(post(), None));
    assert_ok(&one);
    assert_ok(&other);
}

#[tokio::test]
async fn who_gives_no_room_for_the_reply_loses_that_stream_alone() {
    let server = Server::with_limits(Limits { stall: SHORT, ..PATIENT }).await;
    let client = Client::with(client::Builder::new().initial_window_size(0), &server).await;
    let (response, _) = client.send(post(), true).await;
    let response = timeout(AGES, response).await.unwrap().unwrap();
    let error = timeout(AGES, response.into_body().data()).await.unwrap().unwrap().unwrap_err();
    assert!(is_reset(&error, Reason::CANCEL), "{error:?}");
    let reply = client.ask(Request::head("http://api/").body(()).unwrap(), None).await;
    assert_eq!(reply.status(), StatusCode::OK);
}

#[tokio::test]
async fn who_stops_in_the_middle_of_a_body_loses_that_stream_alone() {
    let server = Server::with_limits(Limits { stall: SHORT, ..PATIENT }).await;
    let client = Client::connect(&server).await;
    let (response, mut stream) = client.begin().await;
    stream.send_data(Bytes::from_static(b"half"), false).unwrap();
    assert!(is_reset(&whole(response).await.unwrap_err(), Reason::CANCEL));
    client.assert_serves().await;
}

#[tokio::test]
async fn who_drips_a_body_loses_that_stream_alone() {
    let server = Server::with_limits(Limits { body: SHORT, ..PATIENT }).await;
    let client = Client::connect(&server).await;
    let (response, mut stream) = client.begin().await;
    let dripping = async {
        while stream.send_data(Bytes::from_static(b"x"), false).is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    timeout(AGES, dripping).await.expect("the stream is reset");
    assert!(is_reset(&whole(response).await.unwrap_err(), Reason::CANCEL));
    client.assert_serves().await;
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
