mod limits;

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{self, Connection, ResponseFuture, SendRequest};
use h2::{Error, SendStream};
use http::{Method, Request, Response, StatusCode};
use service::{Limits, Shutdown};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::server::{AGES, OK_BODY, PATIENT, Server};

const MAX_BODY: usize = 2 << 20;
const SHORT: Duration = Duration::from_millis(100);

/// A client of many requests on one connection.
struct Client {
    requests: SendRequest<Bytes>,
    /// Ends with the connection.
    driver: JoinHandle<Result<(), Error>>,
}

impl Client {
    async fn connect(server: &Server) -> Self {
        // As many as hyper's clients do before they know the server's limit.
        Self::with(client::Builder::new().initial_max_send_streams(100), server).await
    }

    async fn with(builder: &mut client::Builder, server: &Server) -> Self {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (requests, connection): (_, Connection<_, Bytes>) = builder.handshake(stream).await.unwrap();
        Self { requests, driver: tokio::spawn(connection) }
    }

    /// Begins a request.
    async fn send(&self, request: Request<()>, is_whole: bool) -> (ResponseFuture, SendStream<Bytes>) {
        let mut ready = self.requests.clone().ready().await.unwrap();
        ready.send_request(request, is_whole).unwrap()
    }

    /// Begins a POST and leaves it open.
    async fn begin(&self) -> (ResponseFuture, SendStream<Bytes>) {
        self.send(post(), false).await
    }

    async fn ask(&self, request: Request<()>, body: Option<Bytes>) -> Response<Bytes> {
        let (response, mut stream) = self.send(request, body.is_none()).await;
        if let Some(body) = body {
            stream.send_data(body, true).unwrap();
        }
        whole(response).await.unwrap()
    }

    async fn assert_serves(&self) {
        assert_ok(&self.ask(post(), Some(Bytes::from_static(b"{}"))).await);
    }

    /// Waits until the server has told it to go elsewhere, or to do so at once, and the connection ends.
    async fn ended(self) -> Result<(), Error> {
        drop(self.requests);
        timeout(AGES, self.driver).await.expect("the connection ends").unwrap()
    }
}

fn post() -> Request<()> {
    Request::post("http://api/").body(()).unwrap()
}

async fn whole(response: ResponseFuture) -> Result<Response<Bytes>, Error> {
    let response = timeout(AGES, response).await.expect("a reply")?;
    let (head, mut stream) = response.into_parts();
    let mut body = Vec::new();
    while let Some(data) = timeout(AGES, stream.data()).await.expect("a body") {
        let data = data?;
        stream.flow_control().release_capacity(data.len())?;
        body.extend(data);
    }
    Ok(Response::from_parts(head, Bytes::from(body)))
}

fn assert_ok(reply: &Response<Bytes>) {
    assert_eq!(reply.status(), StatusCode::OK);
    assert_eq!(reply.body(), OK_BODY);
}

/// Sends `length` bytes in pieces as the window allows; whether all went.
async fn send_all(stream: &mut SendStream<Bytes>, mut length: usize) -> bool {
    while length > 0 {
        stream.reserve_capacity(length.min(16 << 10));
        let Some(Ok(room)) = poll_fn(|cx| stream.poll_capacity(cx)).await else {
            return false;
        };
        let sent = room.min(length);
        length -= sent;
        if stream.send_data(Bytes::from(vec![b'x'; sent]), length == 0).is_err() {
            return false;
        }
    }
    true
}

#[tokio::test]
async fn any_method_on_any_path_gets_the_same_answer() {
    let server = Server::start().await;
    let client = Client::connect(&server).await;
    for (method, target) in [
        ("GET", "http://api/"),
        ("POST", "http://api/some/where?with=query"),
        ("PUT", "https://elsewhere.example/%ff%00/..//"),
        ("DELETE", "http://api/"),
        ("OPTIONS", "http://api/"),
        ("PROPFIND", "http://api/dav"),
        ("x!#$%&'*+-.^_`|~9", "http://api/"),
    ] {
        for body in [None, Some(""), Some("{}")] {
            let request = Request::builder().method(method).uri(target).body(()).unwrap();
            let reply = client.ask(request, body.map(Bytes::from)).await;
            assert_ok(&reply);
            let headers = reply.headers();
            assert_eq!(headers.len(), 3, "{headers:?}");
            assert_eq!(headers["content-type"], "application/json");
            assert_eq!(headers["content-length"], OK_BODY.len().to_string());
            assert!(headers["date"].to_str().unwrap().ends_with(" GMT"));
        }
    }
    let counted = server.context.metrics.gather();
    let counted = counted.iter().find(|family| family.name() == "api_requests_total").unwrap();
    assert_eq!(counted.get_metric()[0].get_counter().get_value(), 21.0);
}

#[tokio::test]
async fn head_gets_the_head_alone() {
    let server = Server::start().await;
    let client = Client::connect(&server).await;
    let reply = client.ask(Request::head("http://api/").body(()).unwrap(), None).await;
    assert_eq!(reply.status(), StatusCode::OK);
    assert_eq!(reply.headers()["content-length"], OK_BODY.len().to_string());
    assert!(reply.body().is_empty());
}

#[tokio::test]
async fn connect_gets_a_status_and_no_tunnel() {
    let server = Server::start().await;
    let client = Client::connect(&server).await;
    let request = Request::builder().method(Method::CONNECT).uri("elsewhere.example:443").body(()).unwrap();
    // The client's side of the tunnel stays open.
    let (response, _tunnel) = client.send(request, false).await;
    let reply = whole(response).await.unwrap();
    assert_eq!((reply.status(), &**reply.body()), (StatusCode::OK, &b""[..]));
    client.assert_serves().await;
}

#[tokio::test]
async fn a_thousand_requests_at_once_are_all_answered() {
    let server = Server::start().await;
    let client = Client::connect(&server).await;
    let mut asked = Vec::new();
    for number in 0..1000 {
        let (response, mut stream) = client.begin().await;
        asked.push(tokio::spawn(async move {
            assert!(send_all(&mut stream, 1 + number * 10).await);
            whole(response).await.unwrap()
        }));
    }
    for asked in asked {
        assert_ok(&asked.await.unwrap());
    }
}

#[tokio::test]
async fn what_is_in_flight_is_answered_and_clients_are_told_to_go_elsewhere() {
    let server = Server::start().await;
    let (busy, idle) = (Client::connect(&server).await, Client::connect(&server).await);
    idle.assert_serves().await;
    let (response, mut stream) = busy.begin().await;
    // All runs on one thread: when this is answered, the server has seen what was sent before.
    busy.assert_serves().await;

    server.context.shutdown.request();
    idle.ended().await.unwrap();
    stream.send_data(Bytes::from_static(b"{}"), true).unwrap();
    assert_ok(&whole(response).await.unwrap());
    busy.ended().await.unwrap();
    server.stopped().await;
}

#[tokio::test]
async fn who_says_nothing_any_more_is_soon_let_go() {
    let server = Server::start().await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (requests, connection): (SendRequest<Bytes>, _) = client::handshake(stream).await.unwrap();
    let driver = tokio::spawn(connection);
    let silent = Client { requests, driver };
    silent.assert_serves().await;
    silent.driver.abort();
    let requested = Instant::now();
    server.context.shutdown.request();
    server.stopped().await;
    assert!(requested.elapsed() < Shutdown::GRACE / 2);
}
