use std::net::SocketAddr;
use std::time::Duration;

use prometheus::IntCounter;
use service::{Context, Limits, Shutdown};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than anything here takes, unless it hangs.
pub(crate) const AGES: Duration = Duration::from_secs(30);

/// Limits that no test reaches by accident.
pub(crate) const PATIENT: Limits = Limits { connections: 1000, requests: 10_000, idle: AGES, request: AGES };

pub(crate) const OK_BODY: &str = r#"{"response":"ok","container":"pod-1"}"#;

/// A running server named `pod-1`, on the test's own thread.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) context: Context,
    running: JoinHandle<()>,
}

impl Server {
    /// The api as it is.
    pub(crate) async fn start() -> Self {
        Self::start_by(|listener, context| async {
            api::serve(listener, "pod-1".to_owned(), context).await.unwrap();
        })
        .await
    }

    /// The api with other limits than its own.
    pub(crate) async fn with_limits(limits: Limits) -> Self {
        Self::start_by(async move |listener, Context { shutdown, .. }| {
            let server = service::Server::new(limits);
            let requests = IntCounter::new("api_requests_total", "Requests received").unwrap();
            let app = api::app("pod-1", requests, shutdown.clone());
            server.serve(listener, app, shutdown.requested(), &shutdown).await;
        })
        .await
    }

    async fn start_by<F>(serve: impl FnOnce(TcpListener, Context) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let context = Context::new(Shutdown::new());
        let running = tokio::spawn(serve(listener, context.clone()));
        Self { address, context, running }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// Sends `request` on a connection of its own and reads until the server closes it.
    pub(crate) async fn ask(&self, request: &str) -> String {
        let mut client = self.connect().await;
        client.send(request).await;
        client.rest().await
    }

    /// That others are served.
    pub(crate) async fn assert_serves(&self) {
        let reply = self.ask("GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await;
        assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
    }

    pub(crate) async fn stopped(self) {
        timeout(AGES, self.running).await.unwrap().unwrap();
    }
}

pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads a reply's head and leaves the connection open; the body that belongs to it too.
    pub(crate) async fn reply(&mut self) -> String {
        let mut read = Vec::new();
        let complete = async {
            while !read.ends_with(b"\r\n\r\n") {
                read.push(self.0.read_u8().await.unwrap());
            }
            let length = header(&String::from_utf8_lossy(&read), "content-length")
                .map_or(0, |length| length.parse().unwrap());
            let mut body = vec![0; length];
            self.0.read_exact(&mut body).await.unwrap();
            read.extend(body);
        };
        timeout(AGES, complete).await.unwrap();
        String::from_utf8(read).unwrap()
    }

    /// Reads until the server closes the connection, in good order or not.
    pub(crate) async fn rest(&mut self) -> String {
        let mut read = Vec::new();
        let _ = timeout(AGES, self.0.read_to_end(&mut read)).await.expect("the server closes the connection");
        String::from_utf8(read).unwrap()
    }
}

/// The value of a header in a reply's text.
pub(crate) fn header<'a>(reply: &'a str, name: &str) -> Option<&'a str> {
    let head = reply.split("\r\n\r\n").next()?;
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
