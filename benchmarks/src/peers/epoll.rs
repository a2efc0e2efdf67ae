//! What answering costs at least: epoll, a read, a look for the request's end, a write of a reply made beforehand.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::path::Path;

use anyhow::Context;
use memchr::memmem::Finder;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

/// Serves in one thread until it is killed.
pub(crate) fn serve(listen: SocketAddr, reply: &Path) -> anyhow::Result<()> {
    let reply = std::fs::read(reply).with_context(|| format!("failed to read `{}`", reply.display()))?;
    let listener = TcpListener::bind(listen).with_context(|| format!("failed to listen at {listen}"))?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    let mut connections = HashMap::new();
    let number = |descriptor: i32| u64::try_from(descriptor);
    let own = number(listener.as_raw_fd())?;
    epoll::add(&epoll, &listener, EventData::new_u64(own), EventFlags::IN)?;
    let (mut events, mut buffer, requests) = (Vec::with_capacity(256), vec![0; 64 << 10], Requests::new());
    loop {
        match epoll::wait(&epoll, spare_capacity(&mut events), None) {
            Err(rustix::io::Errno::INTR) => {}
            found => drop(found?),
        }
        for event in events.drain(..) {
            let key = event.data.u64();
            if key == own {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                let key = number(stream.as_raw_fd())?;
                epoll::add(&epoll, &stream, EventData::new_u64(key), EventFlags::IN)?;
                connections.insert(key, Connection { stream, begun: Vec::new() });
            } else if let Some(connection) = connections.get_mut(&key)
                && !matches!(connection.answer(&mut buffer, &requests, &reply), Ok(true))
            {
                connections.remove(&key);
            }
        }
    }
}

struct Connection {
    stream: TcpStream,
    /// A request that is not whole yet.
    begun: Vec<u8>,
}

impl Connection {
    /// Reads once and answers what is whole; false: the client has closed it.
    fn answer(&mut self, buffer: &mut [u8], requests: &Requests, reply: &[u8]) -> io::Result<bool> {
        let read = match self.stream.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            read => read?,
        };
        let mut bytes = &buffer[..read];
        if !self.begun.is_empty() {
            self.begun.extend_from_slice(bytes);
            bytes = &self.begun;
        }
        let mut done = 0;
        while let Some(length) = requests.first(&bytes[done..]) {
            // A reply of some hundred bytes always fits into the socket's buffer of a client that waits for it.
            self.stream.write_all(reply)?;
            done += length;
        }
        if done < bytes.len() || !self.begun.is_empty() {
            self.begun = bytes[done..].to_vec();
        }
        Ok(read > 0)
    }
}

/// Finds requests by the simplest means.
struct Requests {
    end: Finder<'static>,
    length: Finder<'static>,
}

impl Requests {
    fn new() -> Self {
        Self { end: Finder::new("\r\n\r\n"), length: Finder::new("ontent-Length: ") }
    }

    /// The length of the first request, once all of it is there. None of a header's other spellings is known.
    fn first(&self, bytes: &[u8]) -> Option<usize> {
        let head = self.end.find(bytes)? + 4;
        let digits = self.length.find(&bytes[..head]).map_or(&[][..], |at| &bytes[at + 15..head]);
        let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
        let body = digits.fold(0, |body, digit| 10 * body + usize::from(digit - b'0'));
        (bytes.len() >= head + body).then_some(head + body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_found_once_it_is_whole() {
        let request = b"POST / HTTP/1.1\r\nContent-Length: 12\r\nHost: a\r\n\r\n{\"a\":\"b c\"}\nGET / HTTP/1.1\r\n\r\n";
        let requests = Requests::new();
        assert_eq!(requests.first(request), Some(request.len() - 18));
        assert_eq!(requests.first(&request[request.len() - 18..]), Some(18));
        assert_eq!(requests.first(&request[..request.len() - 19]), None);
        assert_eq!(requests.first(b"GET /"), None);
    }
}
