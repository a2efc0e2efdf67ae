//! An API that records what it is sent, and answers as a test wants.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A POST as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Its `Idempotency-Key`, quotes and all.
    pub key: String,
    /// Its `traceparent`, where it has one.
    pub traceparent: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Post {
    /// Reads one from a connection; `None`: the client is gone.
    pub fn read(reader: &mut impl BufRead) -> Option<Self> {
        let (mut key, mut traceparent, mut length) = (String::new(), None, 0);
        let mut line = String::new();
        loop {
            line.clear();
            reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
            if line == "\r\n" {
                break;
            }
            // It knows nothing of HTTP/2.
            if line.starts_with("PRI ") {
                return None;
            }
            let Some((name, value)) = line.split_once(": ") else { continue };
            match name.to_ascii_lowercase().as_str() {
                "idempotency-key" => key = value.trim_end().to_owned(),
                "traceparent" => traceparent = Some(value.trim_end().to_owned()),
                "content-length" => length = value.trim_end().parse().unwrap(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        Some(Post { key, traceparent, body })
    }
}

/// What to answer.
pub enum Reply {
    /// A status.
    Status(u16),
    /// Bytes as they are, and then the connection's end.
    Raw(Vec<u8>),
    /// Nothing: the connection is closed.
    Close,
    /// Nothing until the client goes away.
    Hang,
}

/// An HTTP/1.1 server on a free port of loopback, for as long as the process lives.
pub struct Recorder {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What to answer to a post, given how many came before it.
type Script = Box<dyn Fn(usize, &Post) -> Reply + Send + Sync>;

struct Shared {
    name: String,
    posts: Mutex<Vec<Post>>,
    connections: AtomicUsize,
    reply: Script,
}

impl Recorder {
    /// One that answers everything with 200.
    pub fn start() -> Self {
        Self::with("recorder", |_, _| Reply::Status(200))
    }

    /// One of a name of its own; `reply` is given how many posts came before.
    pub fn with(name: &str, reply: impl Fn(usize, &Post) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            posts: Mutex::default(),
            connections: AtomicUsize::new(0),
            reply: Box::new(reply),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&accepting);
                shared.connections.fetch_add(1, Ordering::SeqCst);
                // A client that goes away ends its thread with an error that nobody needs.
                std::thread::spawn(move || serve(&stream, &shared));
            }
        });
        Recorder { address, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to give as `--api-url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All posts so far, also those that were refused.
    pub fn posts(&self) -> Vec<Post> {
        self.shared.posts.lock().unwrap().clone()
    }

    /// How many posts came so far.
    pub fn count(&self) -> usize {
        self.shared.posts.lock().unwrap().len()
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let post = Post::read(&mut reader)?;
        let before = {
            let mut posts = shared.posts.lock().unwrap();
            posts.push(post.clone());
            posts.len() - 1
        };
        let status = match (shared.reply)(before, &post) {
            Reply::Status(status) => status,
            Reply::Raw(bytes) => {
                (&mut &*stream).write_all(&bytes).ok()?;
                return None;
            }
            Reply::Close => return None,
            Reply::Hang => {
                std::io::copy(&mut reader, &mut std::io::sink()).ok()?;
                return None;
            }
        };
        let body = format!(r#"{{"response":"ok","container":"{}"}}"#, shared.name);
        let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n", body.len());
        (&mut &*stream).write_all((head + &body).as_bytes()).ok()?;
    }
}
