//! A connection to an api pod.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use end_to_end::Post;

/// A connection, for one POST at a time.
pub(crate) struct Pod(BufReader<TcpStream>);

/// What the pod has said.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// The pod closes the connection behind it.
    pub(crate) is_last: bool,
}

impl Pod {
    pub(crate) fn connect(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_nodelay(true).ok()?;
        Some(Pod(BufReader::new(stream)))
    }

    /// Passes a POST on; `None`: the pod has gone before it answered.
    pub(crate) fn post(&mut self, post: &Post) -> Option<Answer> {
        let Post { key, body, .. } = post;
        let head = format!(
            "POST / HTTP/1.1\r\nhost: api\r\nidempotency-key: {key}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.0.get_mut().write_all(&[head.as_bytes(), body].concat()).ok()?;
        let mut line = String::new();
        self.0.read_line(&mut line).ok()?;
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let (mut length, mut is_last) = (0, false);
        loop {
            line.clear();
            self.0.read_line(&mut line).ok().filter(|&read| read > 0)?;
            let header = line.trim_end().to_ascii_lowercase();
            match header.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().ok()?,
                Some(("connection", value)) => is_last = value == "close",
                _ if header.is_empty() => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        Some(Answer { status, body, is_last })
    }
}
