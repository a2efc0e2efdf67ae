//! What is sent: the head of a request, put together once but for the key and the length. Pure.
//!
//! `Idempotency-Key` is a quoted string, as draft-ietf-httpapi-idempotency-key-header-07 has it: the batch's key and the
//! line's number. It is the same for each attempt, also by the next owner, and never the same for two documents.

use std::io::{self, Write as _};
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::uri::{Authority, Scheme};
use http::{Method, Request, Uri, Version};

use crate::target::Target;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const AGENT: HeaderValue = HeaderValue::from_static(concat!("json-to-api/", env!("CARGO_PKG_VERSION")));
/// So many bytes of values are put together in one allocation.
const BLOCK: usize = 4 << 10;
/// How many headers are not the user's.
const OWN: usize = 4;

/// Makes the requests of a batch.
#[derive(Clone)]
pub(crate) struct Requests {
    /// All of an HTTP/1.1 head up to the line's number in the key.
    http1: Arc<[u8]>,
    uri: Uri,
    /// All headers of HTTP/2; the key and the length are replaced for each document.
    http2: HeaderMap,
    /// All of a key up to the line's number.
    key: Arc<[u8]>,
    /// Where values are put together.
    values: BytesMut,
}

impl Requests {
    /// For documents of a batch of this key, to `target`, with the headers that the user wants sent along.
    pub(crate) fn new(target: &Target, batch: &str, users: &HeaderMap) -> Self {
        let mut headers = HeaderMap::with_capacity(users.len() + OWN);
        headers.insert(CONTENT_TYPE, JSON);
        if !users.contains_key(USER_AGENT) {
            headers.insert(USER_AGENT, AGENT);
        }
        for (name, value) in users {
            headers.append(name.clone(), value.clone());
        }
        let http1 = http1_head(target, batch, &headers).into();
        headers.insert(CONTENT_LENGTH, 0.into());
        headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_static(""));
        let key = format!("\"{batch}-").into_bytes().into();
        Requests { http1, uri: uri(target), http2: headers, key, values: BytesMut::new() }
    }

    /// Appends the head of an HTTP/1.1 request for the document in a line, of so many bytes.
    pub(crate) fn http1(&self, line: u64, length: usize, head: &mut Vec<u8>) {
        head.extend_from_slice(&self.http1);
        // Writing to memory cannot fail.
        let _ = write!(head, "{line}\"\r\ncontent-length: {length}\r\n\r\n");
    }

    /// The HTTP/2 request for the document in a line, of so many bytes.
    pub(crate) fn http2(&mut self, line: u64, length: usize) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = self.uri.clone();
        let mut headers = self.http2.clone();
        headers.insert(IDEMPOTENCY_KEY, self.key(line));
        headers.insert(CONTENT_LENGTH, self.value(|value| write!(value, "{length}")));
        *request.headers_mut() = headers;
        request
    }

    fn key(&mut self, line: u64) -> HeaderValue {
        let prefix = Arc::clone(&self.key);
        let mut key = self.value(|value| {
            value.write_all(&prefix)?;
            write!(value, "{line}\"")
        });
        // It comes once: compression must not remember it (RFC 7541, section 7.1.3).
        key.set_sensitive(true);
        key
    }

    /// A value of visible ASCII, which needs no allocation of its own.
    fn value(
        &mut self,
        write: impl FnOnce(&mut bytes::buf::Writer<&mut BytesMut>) -> io::Result<()>,
    ) -> HeaderValue {
        // A key, and twenty digits.
        let longest = self.key.len() + 21;
        if self.values.capacity() < longest {
            self.values.reserve(BLOCK.max(longest));
        }
        // Writing to memory cannot fail.
        let _ = write(&mut (&mut self.values).writer());
        let value = self.values.split().freeze();
        HeaderValue::from_maybe_shared(value).expect("the volume makes keys of `[0-9a-f.-]`")
    }
}

fn http1_head(target: &Target, batch: &str, headers: &HeaderMap) -> Vec<u8> {
    let mut head = format!("POST {} HTTP/1.1\r\n", target.path).into_bytes();
    let mut add = |name: &HeaderName, value: &[u8]| {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    };
    add(&HOST, target.authority.as_bytes());
    headers.iter().for_each(|(name, value)| add(name, value.as_bytes()));
    head.extend_from_slice(format!("{IDEMPOTENCY_KEY}: \"{batch}-").as_bytes());
    head
}

/// The URL in its parts, as HTTP/2 sends it.
fn uri(target: &Target) -> Uri {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(if target.tls { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = Authority::from_maybe_shared(Bytes::copy_from_slice(target.authority.as_bytes())).ok();
    parts.path_and_query = Some(target.path.clone());
    Uri::from_parts(parts).expect("a target has all parts of a URL")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target::parse(url).unwrap()
    }

    fn users() -> HeaderMap {
        let mut users = HeaderMap::new();
        users.append("authorization", HeaderValue::from_static("Bearer x"));
        users.append("x-two", HeaderValue::from_static("1"));
        users.append("x-two", HeaderValue::from_static("2"));
        users
    }

    #[test]
    fn a_head_of_http_1_is_as_it_always_was() {
        let requests = Requests::new(&target("http://api:8080/in?kind=a"), "0199-a9-1f.2", &users());
        let mut head = Vec::new();
        requests.http1(7, 123, &mut head);
        let expected = format!(
            "POST /in?kind=a HTTP/1.1\r\nhost: api:8080\r\ncontent-type: application/json\r\nuser-agent: {}\r\n\
             authorization: Bearer x\r\nx-two: 1\r\nx-two: 2\r\nidempotency-key: \"0199-a9-1f.2-7\"\r\n\
             content-length: 123\r\n\r\n",
            AGENT.to_str().unwrap()
        );
        assert_eq!(String::from_utf8(head).unwrap(), expected);
    }

    #[test]
    fn both_versions_say_the_same() {
        for url in ["http://api", "https://[::1]:8443/x?y=1", "http://10.0.0.7:1/"] {
            let mut requests = Requests::new(&target(url), "0199-a9-1f.2", &users());
            let mut head = Vec::new();
            requests.http1(42, 5, &mut head);
            let head = String::from_utf8(head).unwrap();
            let mut lines = head.lines();
            let request = requests.http2(42, 5);
            let path = request.uri().path_and_query().unwrap();
            assert_eq!(lines.next().unwrap(), format!("{} {path} HTTP/1.1", request.method()));
            assert_eq!(lines.next().unwrap(), format!("host: {}", request.uri().authority().unwrap()));
            let mut one: Vec<_> = lines.filter(|line| !line.is_empty()).map(str::to_owned).collect();
            let two =
                request.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
            let mut two: Vec<_> = two.collect();
            one.sort();
            two.sort();
            assert_eq!(one, two);
        }
    }

    #[test]
    fn the_users_agent_takes_the_place_of_ours() {
        let mut users = HeaderMap::new();
        users.insert(USER_AGENT, HeaderValue::from_static("mine"));
        let mut requests = Requests::new(&target("http://api"), "b", &users);
        assert_eq!(requests.http2(1, 2).headers()[USER_AGENT], "mine");
    }

    #[test]
    fn a_key_is_a_quoted_string_of_batch_and_line() {
        let mut requests = Requests::new(&target("http://api"), "0199-a9-1f.2", &HeaderMap::new());
        let key = |requests: &mut Requests, line| requests.http2(line, 2).headers()[IDEMPOTENCY_KEY].clone();
        assert_eq!(key(&mut requests, u64::MAX), "\"0199-a9-1f.2-18446744073709551615\"");
        let kept: Vec<_> = (0..10_000).map(|line| key(&mut requests, line)).collect();
        for (line, key) in kept.iter().enumerate() {
            assert_eq!(key, &format!("\"0199-a9-1f.2-{line}\""));
            assert!(key.is_sensitive());
        }
    }
}
