//! A server that answers as a test tells it, and remembers what it was asked.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::Request;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The first line.
    pub(crate) request: String,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
    /// Which connection it came on; the first is 0.
    pub(crate) connection: usize,
    /// How often the same key came before.
    pub(crate) before: usize,
}

impl Asked {
    pub(crate) fn key(&self) -> &str {
        &self.headers["idempotency-key"]
    }
}

/// What to do with a request.
pub(crate) enum Answer {
    /// A status, further headers (each ending in CRLF), a body.
    Reply(u16, &'static str, Vec<u8>),
    /// Bytes as they are, each piece in a write of its own, and then the connection's end.
    Raw(Vec<Vec<u8>>),
    /// The same, and the connection stays.
    Pieces(Vec<Vec<u8>>),
    /// The connection's end.
    Close,
    /// Nothing, ever.
    Hang,
    /// Over HTTP/2: the end of this request only.
    Reset(Reason),
    /// Over HTTP/2: an answer, and no further requests on this connection.
    GoAway,
}

impl Answer {
    pub(crate) fn ok() -> Self {
        Answer::status(200)
    }

    pub(crate) fn status(status: u16) -> Self {
        Answer::Reply(status, "", b"{\"response\":\"ok\"}".to_vec())
    }
}

type Script = Box<dyn Fn(&Asked) -> Answer + Send + Sync>;

/// A running server; it ends with its runtime.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    script: Script,
    /// Each answer comes after this.
    delay: Duration,
    tls: Option<TlsAcceptor>,
    /// What it does when it is spoken to in HTTP/2.
    http2: Http2,
    log: Mutex<Log>,
}

/// What a server does when it is spoken to in HTTP/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Http2 {
    Close,
    /// Answers in HTTP/1.1 that it does not understand.
    Refuse,
    Speak,
}

#[derive(Default)]
struct Log {
    asked: Vec<Asked>,
    keys: HashMap<String, usize>,
    connections: usize,
    closed: usize,
    prefaces: usize,
}

impl Server {
    pub(crate) async fn start(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::listen(listener, Duration::ZERO, None, Http2::Close, script)
    }

    /// Answers each request after `delay`.
    pub(crate) async fn slow(
        delay: Duration,
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::listen(listener, delay, None, Http2::Close, script)
    }

    /// Does as told when it is spoken to in HTTP/2.
    pub(crate) async fn with_http2(
        http2: Http2,
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::listen(listener, Duration::ZERO, None, http2, script)
    }

    pub(crate) async fn with_tls(
        tls: TlsAcceptor,
        http2: Http2,
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::listen(listener, Duration::ZERO, Some(tls), http2, script)
    }

    pub(crate) fn listen(
        listener: TcpListener,
        delay: Duration,
        tls: Option<TlsAcceptor>,
        http2: Http2,
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State { script: Box::new(script), delay, tls, http2, log: Mutex::default() });
        let server = Server { address, state: Arc::clone(&state) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let state = Arc::clone(&state);
                let connection = {
                    let mut log = state.log.lock().unwrap();
                    log.connections += 1;
                    log.connections - 1
                };
                tokio::spawn(async move {
                    match state.tls.clone() {
                        None => _ = Arc::clone(&state).serve(stream, connection).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                let _ = Arc::clone(&state).serve(stream, connection).await;
                            }
                        }
                    }
                    state.log.lock().unwrap().closed += 1;
                });
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.log.lock().unwrap().asked.clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.state.log.lock().unwrap().asked.len()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.log.lock().unwrap().connections
    }

    /// Waits until every connection has ended; fails where one is kept open.
    pub(crate) async fn all_closed(&self) {
        let all = async {
            loop {
                {
                    let log = self.state.log.lock().unwrap();
                    if log.closed == log.connections {
                        return;
                    }
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(2), all).await.expect("connections are kept open");
    }

    /// How many connections began in HTTP/2.
    pub(crate) fn prefaces(&self) -> usize {
        self.state.log.lock().unwrap().prefaces
    }

    /// Waits until so many requests have come.
    pub(crate) async fn asked_at_least(&self, count: usize) {
        while self.count() < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl State {
    async fn serve(
        self: Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        connection: usize,
    ) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        if stream.fill_buf().await?.starts_with(b"PRI ") {
            self.log.lock().unwrap().prefaces += 1;
            match self.http2 {
                Http2::Close => {}
                Http2::Refuse => write(&mut stream, &[b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()]).await?,
                Http2::Speak => self.serve_http2(stream, connection).await.map_err(io::Error::other)?,
            }
            return Ok(());
        }
        while let Some(mut asked) = read(&mut stream, connection).await? {
            match self.ask(&mut asked).await {
                Answer::Reply(status, headers, body) => {
                    let head =
                        format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n", body.len());
                    stream.write_all(&[head.as_bytes(), &body].concat()).await?;
                }
                Answer::Pieces(pieces) => write(&mut stream, &pieces).await?,
                Answer::Raw(pieces) => return write(&mut stream, &pieces).await,
                Answer::Close | Answer::Reset(_) | Answer::GoAway => return Ok(()),
                Answer::Hang => std::future::pending().await,
            }
        }
        Ok(())
    }

    async fn serve_http2(
        self: Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        connection: usize,
    ) -> Result<(), h2::Error> {
        let mut requests = h2::server::handshake(stream).await?;
        let (close, goaway) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        loop {
            tokio::select! {
                request = requests.accept() => {
                    let Some(request) = request else { return Ok(()) };
                    let (request, reply) = request?;
                    let (state, close, goaway) = (Arc::clone(&self), Arc::clone(&close), Arc::clone(&goaway));
                    tokio::spawn(async move {
                        match state.answer_http2(request, reply, connection).await? {
                            Answer::Close => close.notify_one(),
                            Answer::GoAway => goaway.notify_one(),
                            _ => {}
                        }
                        Ok::<_, h2::Error>(())
                    });
                }
                () = close.notified() => return Ok(()),
                () = goaway.notified() => requests.graceful_shutdown(),
            }
        }
    }

    async fn answer_http2(
        &self,
        request: Request<RecvStream>,
        mut reply: SendResponse<Bytes>,
        connection: usize,
    ) -> Result<Answer, h2::Error> {
        let (head, mut stream) = request.into_parts();
        let mut body = Vec::new();
        while let Some(data) = stream.data().await {
            body.extend(data?);
        }
        let mut headers: HashMap<_, _> = head
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        headers.insert("host".to_owned(), head.uri.authority().unwrap().to_string());
        let request = format!("{} {} HTTP/2", head.method, head.uri.path_and_query().unwrap());
        let body = String::from_utf8(body).unwrap();
        let mut asked = Asked { request, headers, body, connection, before: 0 };
        let answer = self.ask(&mut asked).await;
        let (status, headers, body) = match &answer {
            Answer::Reply(status, headers, body) => (*status, *headers, body.clone()),
            Answer::GoAway => (200, "", b"{}".to_vec()),
            Answer::Hang => std::future::pending().await,
            Answer::Reset(reason) => {
                reply.send_reset(*reason);
                return Ok(answer);
            }
            Answer::Raw(_) | Answer::Pieces(_) | Answer::Close => return Ok(answer),
        };
        let mut response = http::Response::builder().status(status);
        for header in headers.lines() {
            let (name, value) = header.split_once(": ").unwrap();
            response = response.header(name, value);
        }
        reply.send_response(response.body(()).unwrap(), false)?.send_data(body.into(), true)?;
        Ok(answer)
    }

    /// Remembers a request, and looks up what to answer.
    async fn ask(&self, asked: &mut Asked) -> Answer {
        {
            let mut log = self.log.lock().unwrap();
            let before = log.keys.entry(asked.key().to_owned()).or_default();
            asked.before = *before;
            *before += 1;
            log.asked.push(asked.clone());
        }
        tokio::time::sleep(self.delay).await;
        (self.script)(asked)
    }
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), pieces: &[Vec<u8>]) -> io::Result<()> {
    for piece in pieces {
        stream.write_all(piece).await?;
        stream.flush().await?;
        // Lets the other side see the pieces apart; that it does is not needed for a test to hold.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

async fn read(
    stream: &mut BufReader<impl AsyncRead + Unpin>,
    connection: usize,
) -> io::Result<Option<Asked>> {
    let mut request = String::new();
    if stream.read_line(&mut request).await? == 0 {
        return Ok(None);
    }
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    stream.read_exact(&mut body).await?;
    let body = String::from_utf8(body).unwrap();
    Ok(Some(Asked { request: request.trim().to_owned(), headers, body, connection, before: 0 }))
}
