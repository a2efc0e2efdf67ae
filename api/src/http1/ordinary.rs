//! What an ordinary request looks like: one whose reply is clear without looking at it closely.

use std::mem::MaybeUninit;

use httparse::{Header, Request, Status};

/// Ordinary requests have no more headers.
const MAX_HEADERS: usize = 32;

/// The longest ordinary request, in bytes, with its body.
pub(super) const MAX_LENGTH: usize = 16 << 10;

/// What stands at the start of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A request of so many bytes, body included.
    Request { length: usize, wants_body: bool },
    /// A request that will be so long, and whose head is there.
    Begun { length: usize },
    /// No request, a part of a head, or one that is to be looked at closely.
    Other,
}

/// Looks for an ordinary request at the start of `bytes`.
pub(super) fn find(bytes: &[u8]) -> Found {
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = Request::new(&mut []);
    let Ok(Status::Complete(head)) = request.parse_with_uninit_headers(bytes, &mut headers) else {
        return Found::Other;
    };
    let (Some(method), Some(path), Some(1)) = (request.method, request.path, request.version) else {
        return Found::Other;
    };
    let (true, Some(body)) = (method != "CONNECT" && is_plain(path), body_length(request.headers)) else {
        return Found::Other;
    };
    let length = head + body;
    if length > MAX_LENGTH {
        Found::Other
    } else if length > bytes.len() {
        Found::Begun { length }
    } else {
        Found::Request { length, wants_body: method != "HEAD" }
    }
}

/// Whether a target is a path that needs no closer look.
fn is_plain(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%?=&+".contains(&byte);
    path.starts_with('/') && path.bytes().all(is_plain)
}

/// How long the body is; none where a header says more about it, or about the connection.
fn body_length(headers: &[Header]) -> Option<usize> {
    let mut length = None;
    for header in headers {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        match header.name.len() {
            6 if is("expect") => return None,
            7 if is("upgrade") => return None,
            10 if is("connection") => return None,
            14 if is("content-length") && length.is_some() => return None,
            14 if is("content-length") => length = Some(digits(header.value)?),
            17 if is("transfer-encoding") => return None,
            _ => {}
        }
    }
    Some(length.unwrap_or(0))
}

/// The number that up to five digits are.
fn digits(text: &[u8]) -> Option<usize> {
    let is_number = (1..=5).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    is_number.then(|| text.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bytes: &str) -> Found {
        find(bytes.as_bytes())
    }

    #[test]
    fn requests_with_and_without_a_body_are_found_with_their_ends() {
        let get = "GET /a/b?c=%20 HTTP/1.1\r\nhost: api\r\n\r\n";
        assert_eq!(found(get), Found::Request { length: get.len(), wants_body: true });
        assert_eq!(found(&get.repeat(2)), Found::Request { length: get.len(), wants_body: true });
        let head = "HEAD / HTTP/1.1\r\n\r\n";
        assert_eq!(found(head), Found::Request { length: head.len(), wants_body: false });
        let post = "POST / HTTP/1.1\r\nCONTENT-length: 00002 \r\n\r\n{}";
        assert_eq!(found(post), Found::Request { length: post.len(), wants_body: true });
        let none = "BREW / HTTP/1.1\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(found(none), Found::Request { length: none.len(), wants_body: true });
    }

    #[test]
    fn a_body_that_is_to_come_is_waited_for() {
        let begun = "POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\n";
        let length = begun.len() + 10;
        assert_eq!(found(begun), Found::Begun { length });
        assert_eq!(found(&format!("{begun}123456789")), Found::Begun { length });
    }

    #[test]
    fn whatever_is_in_doubt_is_left_to_the_careful_reader() {
        for other in [
            "",
            "GET / HTTP/1.1\r\n",
            "GET / HTTP/1.0\r\n\r\n",
            "CONNECT / HTTP/1.1\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\n\r\n",
            "GET http://elsewhere.example/ HTTP/1.1\r\n\r\n",
            "GET /\"{}| HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nno colon\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n1",
            "POST / HTTP/1.1\r\ncontent-length: +1\r\n\r\n1",
            "POST / HTTP/1.1\r\ncontent-length: 1, 1\r\n\r\n1",
            "POST / HTTP/1.1\r\ncontent-length:\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 16384\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nExpect: 100-continue\r\ncontent-length: 1\r\n\r\n1",
            "GET / HTTP/1.1\r\nUPGRADE: h2c\r\n\r\n",
            "GET / HTTP/1.1\r\nconnection: keep-alive\r\n\r\n",
        ] {
            assert_eq!(found(other), Found::Other, "{other:?}");
        }
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(MAX_HEADERS + 1));
        assert_eq!(found(&many), Found::Other);
    }
}
