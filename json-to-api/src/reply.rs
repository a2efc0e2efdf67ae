//! Replies of HTTP/1.x, read piece by piece (RFC 9112, sections 4 to 7). Pure: the bytes are given.

use std::time::{Duration, SystemTime};

use http::header::{CONNECTION, CONTENT_LENGTH, RETRY_AFTER, TRANSFER_ENCODING};
use httparse::{EMPTY_HEADER, Header, Response, Status};

use crate::backoff;

/// So much of a reply's body is kept, for the log.
const KEPT: usize = 64 << 10;
/// So much of a body is read; the connection of a longer one is given up.
const READ: u64 = 1 << 20;
/// What stands at the end of a body that was not kept whole.
const CUT: &[u8] = "…".as_bytes();
/// A head, the line of a chunk's size or one of a trailer may be so long.
const MAX_HEAD: usize = 64 << 10;
const MAX_HEADERS: usize = 100;

/// What the api said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// How long the api asks to be left alone.
    pub(crate) retry_after: Option<Duration>,
}

/// What is no reply.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("the reply is no HTTP/1.x: {0}")]
    Head(httparse::Error),
    #[error("the reply's head is longer than 64 KiB")]
    LongHead,
    #[error("the reply's length cannot be read")]
    Length,
    #[error("the reply's chunks cannot be read")]
    Chunk,
    #[error("the reply switches protocols, which was not asked for")]
    Upgrade,
}

/// A reply's body, or the beginning of a long one.
#[derive(Debug, Default)]
pub(crate) struct Body {
    kept: Vec<u8>,
    length: u64,
}

impl Body {
    pub(crate) fn clear(&mut self) {
        self.kept.clear();
        self.length = 0;
    }

    /// Takes in a further piece; false: it is too long to be read to its end.
    pub(crate) fn push(&mut self, piece: &[u8]) -> bool {
        if self.length <= KEPT as u64 {
            let room = KEPT - self.kept.len();
            self.kept.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.len() > room {
                self.kept.extend_from_slice(CUT);
            }
        }
        self.length += piece.len() as u64;
        self.length <= READ
    }

    /// What was kept of it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.kept
    }
}

/// Where a reply has been read to.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    state: State,
    /// So many of the bytes given last were looked through for the end of the head.
    searched: usize,
    head: Option<Head>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    /// So much of the body is to come.
    Length(u64),
    /// A line with the size of a chunk.
    Size,
    /// So much of a chunk is to come.
    Data(u64),
    /// The line end behind a chunk.
    DataEnd,
    Trailer,
    /// The body ends with the connection.
    UntilClose,
    Done,
}

#[derive(Debug, Clone, Copy)]
struct Head {
    reply: Reply,
    persists: bool,
}

/// A reply that has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) reply: Reply,
    /// The connection may carry another.
    pub(crate) persists: bool,
}

impl Reader {
    /// Reads on. `bytes` begins with those that the last call did not consume. Returns how many it consumed, and the
    /// reply once all of it has been read, or more than is of use.
    ///
    /// # Errors
    /// Not HTTP/1.x; see [`Reader::begun`].
    pub(crate) fn advance(
        &mut self,
        bytes: &[u8],
        body: &mut Body,
    ) -> Result<(usize, Option<Read>), Malformed> {
        let mut consumed = 0;
        while self.state != State::Done {
            let rest = &bytes[consumed..];
            let Some(step) = self.step(rest, body)? else {
                return Ok((consumed, None));
            };
            consumed += step;
        }
        Ok((consumed, self.read(true)))
    }

    /// The connection has ended: the reply, if it ends with it.
    pub(crate) fn end(&self) -> Option<Read> {
        if self.state == State::UntilClose { self.read(false) } else { None }
    }

    /// What is known of a reply that broke off.
    pub(crate) fn begun(&self) -> Option<Reply> {
        self.head.map(|head| head.reply)
    }

    fn read(&self, is_whole: bool) -> Option<Read> {
        self.head.map(|head| Read { reply: head.reply, persists: head.persists && is_whole })
    }

    /// Takes one part of the reply; `None`: more bytes are needed.
    fn step(&mut self, bytes: &[u8], body: &mut Body) -> Result<Option<usize>, Malformed> {
        match self.state {
            State::Head => self.head(bytes),
            State::Length(left) => Ok(self.data(bytes, left, body, State::Length, State::Done)),
            State::Data(left) => Ok(self.data(bytes, left, body, State::Data, State::DataEnd)),
            State::UntilClose => Ok(self.data(bytes, u64::MAX, body, |_| State::UntilClose, State::Done)),
            State::Size => self.size(bytes),
            State::DataEnd => match bytes {
                [b'\r', b'\n', ..] => Ok(self.go_on(State::Size, 2)),
                [] | [b'\r'] => Ok(None),
                _ => Err(Malformed::Chunk),
            },
            State::Trailer => self.trailer(bytes),
            State::Done => Ok(Some(0)),
        }
    }

    fn go_on(&mut self, state: State, consumed: usize) -> Option<usize> {
        self.state = state;
        Some(consumed)
    }

    fn head(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        // Looked at when it begins, so that what is no HTTP shows at once, and when it ends: it may come byte by byte.
        let is_first = self.searched == 0 && !bytes.is_empty();
        let ends = has_blank_line(&bytes[self.searched.saturating_sub(3).min(bytes.len())..]);
        self.searched = bytes.len();
        if !is_first && !ends {
            return if bytes.len() > MAX_HEAD { Err(Malformed::LongHead) } else { Ok(None) };
        }
        let mut headers = [EMPTY_HEADER; MAX_HEADERS];
        let mut response = Response::new(&mut headers);
        let Status::Complete(length) = response.parse(bytes).map_err(Malformed::Head)? else {
            return Ok(None);
        };
        self.searched = 0;
        let status = response.code.unwrap_or_default();
        match status {
            101 => return Err(Malformed::Upgrade),
            100..=199 => return Ok(Some(length)),
            _ => {}
        }
        let (state, mut persists) = framing(status, response.headers)?;
        persists &= response.version == Some(1) && state != State::UntilClose && !closes(response.headers);
        let retry_after = value(response.headers, RETRY_AFTER.as_str())
            .and_then(|value| backoff::retry_after(value, SystemTime::now()));
        self.head = Some(Head { reply: Reply { status, retry_after }, persists });
        Ok(self.go_on(state, length))
    }

    /// Takes in body: at most `left` bytes.
    fn data(
        &mut self,
        bytes: &[u8],
        left: u64,
        body: &mut Body,
        more: impl Fn(u64) -> State,
        end: State,
    ) -> Option<usize> {
        if bytes.is_empty() {
            return None;
        }
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - length as u64;
        self.state = if left == 0 { end } else { more(left) };
        if !body.push(&bytes[..length]) {
            self.give_up();
        }
        Some(length)
    }

    /// Its rest would have to be read before the next reply.
    fn give_up(&mut self) {
        self.state = State::Done;
        if let Some(head) = &mut self.head {
            head.persists = false;
        }
    }

    fn size(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        match httparse::parse_chunk_size(bytes) {
            Ok(Status::Complete((length, 0))) => Ok(self.go_on(State::Trailer, length)),
            Ok(Status::Complete((length, size))) => Ok(self.go_on(State::Data(size), length)),
            Ok(Status::Partial) if bytes.len() <= MAX_HEAD => Ok(None),
            Ok(Status::Partial) | Err(_) => Err(Malformed::Chunk),
        }
    }

    fn trailer(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        match bytes.iter().position(|byte| *byte == b'\n') {
            Some(end) if bytes[..end].trim_ascii_end().is_empty() => Ok(self.go_on(State::Done, end + 1)),
            Some(end) => Ok(Some(end + 1)),
            None if bytes.len() <= MAX_HEAD => Ok(None),
            None => Err(Malformed::LongHead),
        }
    }
}

fn has_blank_line(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', bytes).any(|at| {
        let rest = &bytes[at + 1..];
        rest.starts_with(b"\n") || rest.starts_with(b"\r\n")
    })
}

/// How a body is framed, and whether another reply may follow it (RFC 9112, section 6.3).
fn framing(status: u16, headers: &[Header<'_>]) -> Result<(State, bool), Malformed> {
    if matches!(status, 204 | 304) {
        return Ok((State::Done, true));
    }
    let length = length(headers)?;
    if let Some(coding) = values(headers, TRANSFER_ENCODING.as_str()).last() {
        let last = coding.rsplit(|byte| *byte == b',').next().unwrap_or_default();
        let is_chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
        // Both framings at once are somebody's mistake, or somebody's attack.
        return Ok((if is_chunked { State::Size } else { State::UntilClose }, length.is_none()));
    }
    Ok(match length {
        Some(0) => (State::Done, true),
        Some(length) => (State::Length(length), true),
        None => (State::UntilClose, false),
    })
}

/// The Content-Length: one number, however often it is repeated.
fn length(headers: &[Header<'_>]) -> Result<Option<u64>, Malformed> {
    let mut length = None;
    for value in values(headers, CONTENT_LENGTH.as_str()).flat_map(|value| value.split(|byte| *byte == b','))
    {
        let digits = value.trim_ascii();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err(Malformed::Length);
        }
        let number = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        let number: u64 = number.ok_or(Malformed::Length)?;
        if length.is_some_and(|known| known != number) {
            return Err(Malformed::Length);
        }
        length = Some(number);
    }
    Ok(length)
}

fn closes(headers: &[Header<'_>]) -> bool {
    values(headers, CONNECTION.as_str())
        .flat_map(|value| value.split(|byte| *byte == b','))
        .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}

fn value<'a>(headers: &[Header<'a>], name: &str) -> Option<&'a [u8]> {
    values(headers, name).next()
}

fn values<'a>(headers: &[Header<'a>], name: &str) -> impl Iterator<Item = &'a [u8]> {
    headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

#[cfg(test)]
mod tests;
