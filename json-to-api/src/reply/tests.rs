use proptest::prelude::*;

use super::*;

/// Reads a reply that comes in pieces which end at `cuts`, and then the connection's end.
fn read(bytes: &[u8], cuts: &[usize]) -> (Result<Option<Read>, Malformed>, Vec<u8>, usize) {
    let (mut reader, mut body) = (Reader::default(), Body::default());
    let (mut start, mut come) = (0, 0);
    for end in cuts.iter().copied().chain([bytes.len()]) {
        come = end.clamp(come, bytes.len());
        match reader.advance(&bytes[start..come], &mut body) {
            Ok((consumed, read)) => {
                start += consumed;
                if read.is_some() {
                    return (Ok(read), body.bytes().to_vec(), bytes.len() - start);
                }
            }
            Err(malformed) => return (Err(malformed), body.bytes().to_vec(), bytes.len() - start),
        }
    }
    (Ok(reader.end()), body.bytes().to_vec(), bytes.len() - start)
}

fn whole(text: &str) -> (Read, String) {
    let (read, body, rest) = read(text.as_bytes(), &[]);
    assert_eq!(rest, 0, "{text:?}");
    (read.unwrap().unwrap(), String::from_utf8(body).unwrap())
}

#[test]
fn a_body_ends_where_its_framing_says() {
    for (text, status, body, persists) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 200, "ok", true),
        ("HTTP/1.1 200 OK\r\nContent-Length:2\r\nContent-Length: 2, 2\r\n\r\nok", 200, "ok", true),
        ("HTTP/1.1 200 OK\ncontent-length: 2\n\nok", 200, "ok", true),
        ("HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", 200, "", true),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true),
        ("HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n", 304, "", true),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\n\r\n",
            200,
            "ok",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\nA\r\n0123456789\r\n0\r\nx: y\r\n\r\n",
            200,
            "0123456789",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 9\r\n\r\n0\r\n\r\n",
            200,
            "",
            false,
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: x, Close\r\n\r\nok", 200, "ok", false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", 200, "ok", false),
        ("HTTP/1.1 503 Busy\r\n\r\nuntil the end", 503, "until the end", false),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nxyz", 200, "xyz", false),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: x\r\n\r\nHTTP/1.1 201 Made\r\ncontent-length: 1\r\n\r\n1",
            201,
            "1",
            true,
        ),
    ] {
        let (read, found) = whole(text);
        assert_eq!((read.reply.status, found.as_str(), read.persists), (status, body, persists), "{text:?}");
    }
}

#[test]
fn what_is_no_reply_is_told_as_soon_as_it_shows() {
    for (text, malformed) in [
        ("SSH-2.0-x", Malformed::Head(httparse::Error::Version)),
        ("\0\0\x12\x04\0\0\0\0\0", Malformed::Head(httparse::Error::Version)),
        ("HTTP/1.1 2x0 OK\r\n\r\n", Malformed::Head(httparse::Error::Status)),
        ("HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n", Malformed::Upgrade),
        ("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", Malformed::Length),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1, 2\r\n\r\n", Malformed::Length),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n", Malformed::Length),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n", Malformed::Chunk),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nokay", Malformed::Chunk),
    ] {
        assert_eq!(read(text.as_bytes(), &[]).0, Err(malformed), "{text:?}");
    }
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(MAX_HEAD));
    assert_eq!(read(endless.as_bytes(), &[17]).0, Err(Malformed::LongHead));
}

#[test]
fn a_reply_that_breaks_off_is_none_but_its_status_is_known() {
    for text in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok"] {
        assert_eq!(read(text.as_bytes(), &[]).0, Ok(None), "{text:?}");
    }
    let mut reader = Reader::default();
    reader
        .advance(b"HTTP/1.1 413 X\r\ncontent-length: 3\r\nretry-after: 7\r\n\r\n", &mut Body::default())
        .unwrap();
    let reply = Reply { status: 413, retry_after: Some(Duration::from_secs(7)) };
    assert_eq!(reader.begun(), Some(reply));
}

#[test]
fn of_a_long_body_the_beginning_is_kept_and_not_all_is_read() {
    let text = |length: usize| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        [head.into_bytes(), vec![b'x'; length]].concat()
    };
    for (length, kept, persists) in
        [(KEPT, KEPT, true), (KEPT + 1, KEPT + CUT.len(), true), (2 << 20, KEPT + CUT.len(), false)]
    {
        let (read, body, _) = read(&text(length), &[1000, KEPT - 5, KEPT + 500, KEPT + 501]);
        let read = read.unwrap().unwrap();
        assert_eq!((read.reply.status, body.len(), read.persists), (200, kept, persists));
        assert!(body.ends_with(if length > KEPT { CUT } else { b"x" }));
    }
}

proptest! {
    #[test]
    fn a_reply_is_the_same_however_it_is_cut(
        status in 200..600_u16,
        headers in prop::collection::vec("[a-z]{1,9}: [ -~]{0,20}", 0..5),
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..60), 0..5),
        is_chunked: bool,
        interim in 0..2_usize,
        cuts in prop::collection::vec(0..500_usize, 0..8),
        after in prop::collection::vec(any::<u8>(), 0..9),
    ) {
        prop_assume!(!matches!(status, 204 | 304));
        let body = chunks.concat();
        let mut text = "HTTP/1.1 102 Wait\r\n\r\n".repeat(interim).into_bytes();
        text.extend(format!("HTTP/1.1 {status} X\r\n").bytes());
        headers.iter().for_each(|header| text.extend(format!("x-{header}\r\n").bytes()));
        if is_chunked {
            text.extend(b"transfer-encoding: chunked\r\n\r\n");
            for chunk in &chunks {
                text.extend(format!("{:x}\r\n", chunk.len()).bytes());
                text.extend(chunk.iter().chain(b"\r\n"));
            }
            text.extend(b"0\r\n\r\n");
        } else {
            text.extend(format!("content-length: {}\r\n\r\n", body.len()).bytes());
            text.extend(&body);
        }
        let length = text.len();
        text.extend(&after);
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(length)).chain([length]).collect();
        cuts.sort_unstable();
        let (read, found, rest) = read(&text, &cuts);
        let reply = Reply { status, retry_after: None };
        prop_assert_eq!(read, Ok(Some(Read { reply, persists: true })));
        prop_assert_eq!((found, rest), (body, after.len()));
    }
}
