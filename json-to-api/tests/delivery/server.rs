//! A server that answers as a test tells it, and remembers what it was asked.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
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
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    asked: Vec<Asked>,
    keys: HashMap<String, usize>,
    connections: usize,
}

impl Server {
    pub(crate) async fn start(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::listen(listener, Duration::ZERO, None, script)
    }

    /// Answers each request after `delay`.
    pub(crate) async fn slow(
        delay: Duration,
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::listen(listener, delay, None, script)
    }

    pub(crate) async fn with_tls(
        tls: TlsAcceptor,
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::listen(listener, Duration::ZERO, Some(tls), script)
    }

    pub(crate) fn listen(
        listener: TcpListener,
        delay: Duration,
        tls: Option<TlsAcceptor>,
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State { script: Box::new(script), delay, tls, log: Mutex::default() });
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
                    match &state.tls {
                        None => _ = state.serve(stream, connection).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                let _ = state.serve(stream, connection).await;
                            }
                        }
                    }
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

    /// Waits until so many requests have come.
    pub(crate) async fn asked_at_least(&self, count: usize) {
        while self.count() < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl State {
    async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin, connection: usize) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        while let Some(mut asked) = read(&mut stream, connection).await? {
            {
                let mut log = self.log.lock().unwrap();
                let before = log.keys.entry(asked.key().to_owned()).or_default();
                asked.before = *before;
                *before += 1;
                log.asked.push(asked.clone());
            }
            tokio::time::sleep(self.delay).await;
            match (self.script)(&asked) {
                Answer::Reply(status, headers, body) => {
                    let head =
                        format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n", body.len());
                    stream.write_all(&[head.as_bytes(), &body].concat()).await?;
                }
                Answer::Pieces(pieces) => write(&mut stream, &pieces).await?,
                Answer::Raw(pieces) => return write(&mut stream, &pieces).await,
                Answer::Close => return Ok(()),
                Answer::Hang => std::future::pending().await,
            }
        }
        Ok(())
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
    // HTTP/2 is answered as a server does that knows nothing of it.
    if stream.read_line(&mut request).await? == 0 || request.starts_with("PRI ") {
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
