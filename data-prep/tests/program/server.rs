//! An HTTP server that answers byte for byte as a test wants, also wrongly: no library would cut an answer off, promise
//! more than comes, or send for ever.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) path: String,
    /// By their names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
}

impl Request {
    fn read(reader: &mut impl BufRead) -> Option<Self> {
        let mut lines = reader.lines().map_while(Result::ok);
        let path = lines.next()?.split(' ').nth(1)?.to_owned();
        let headers = lines.take_while(|line| !line.is_empty());
        let headers = headers.filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            Some((name.to_ascii_lowercase(), value.to_owned()))
        });
        Some(Request { path, headers: headers.collect() })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The first byte that is asked for.
    pub(crate) fn first_byte(&self) -> usize {
        self.header("range").map_or(0, |range| {
            range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap()
        })
    }
}

/// A server on a free port of loopback, for as long as the process lives; each connection is for one request.
pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// `answer` writes the answer to the request of that number, counted from 0; then the connection ends.
    pub(crate) fn start(answer: impl Fn(usize, &Request, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, requests) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let (answer, noted) = (Arc::new(answer), Arc::clone(&requests));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, noted) = (Arc::clone(&answer), Arc::clone(&noted));
                thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let Some(request) = Request::read(&mut BufReader::new(&stream)) else { return };
                    let number = {
                        let mut noted: std::sync::MutexGuard<'_, Vec<Request>> = noted.lock().unwrap();
                        noted.push(request.clone());
                        noted.len() - 1
                    };
                    answer(number, &request, &mut stream);
                });
            }
        });
        Server { address, requests }
    }

    /// Answers everything with this body.
    pub(crate) fn with(body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self::start(move |_, _, stream| ok(stream, &body))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// Writes; the client may be gone.
pub(crate) fn send(stream: &mut TcpStream, bytes: impl AsRef<[u8]>) {
    let _ = stream.write_all(bytes.as_ref()).and_then(|()| stream.flush());
}

/// Writes a whole answer.
pub(crate) fn answer(stream: &mut TcpStream, status: &str, headers: &[&str], body: &[u8]) {
    head(stream, status, headers, body.len());
    send(stream, body);
}

/// Writes the head of an answer whose body has that length.
pub(crate) fn head(stream: &mut TcpStream, status: &str, headers: &[&str], length: usize) {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    send(
        stream,
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"),
    );
}

pub(crate) fn ok(stream: &mut TcpStream, body: &[u8]) {
    answer(stream, "200 OK", &[], body);
}

/// Waits until the client goes away.
pub(crate) fn hang(stream: &mut TcpStream) {
    let _ = std::io::copy(stream, &mut std::io::sink());
}
