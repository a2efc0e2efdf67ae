//! A pod that says what a test wants, on a free port of loopback.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// What to answer to a path, given how often `/metrics` was asked for; `None`: 404.
type Answers = dyn Fn(&str, u64) -> Option<String> + Send + Sync;

/// For as long as the process lives.
pub(crate) struct Exporter {
    pub(crate) address: SocketAddr,
    asked: Arc<AtomicU64>,
}

impl Exporter {
    pub(crate) fn start(answers: impl Fn(&str, u64) -> Option<String> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
        let (answers, counter): (Arc<Answers>, _) = (Arc::new(answers), Arc::clone(&asked));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (answers, counter) = (Arc::clone(&answers), Arc::clone(&counter));
                thread::spawn(move || serve(client, &*answers, &counter));
            }
        });
        Exporter { address, asked }
    }

    /// How often it was asked for its metrics.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

fn serve(client: TcpStream, answers: &Answers, asked: &AtomicU64) -> Option<()> {
    let _ = client.set_nodelay(true);
    let (mut reader, mut client) = (BufReader::new(client.try_clone().ok()?), client);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            reader.read_line(&mut head).ok().filter(|&read| read > 0)?;
        }
        let path = head.split(' ').nth(1)?;
        let times = if path == "/metrics" {
            asked.fetch_add(1, Ordering::SeqCst)
        } else {
            asked.load(Ordering::SeqCst)
        };
        let (status, body) = match answers(path, times) {
            Some(body) => ("200 OK", body),
            None => ("404 Not Found", String::new()),
        };
        let length = body.len();
        write!(client, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}").ok()?;
    }
}
