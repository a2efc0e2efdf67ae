//! Reads documents from the input: in chunks, from its first line to its last; and single ones again, after a pause.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use bytes::{Bytes, BytesMut};
use records::lines::{Line, Lines};
use serde::de::IgnoredAny;

use crate::document::{Chunk, Document, LineSet, Place, Refusal};

/// A chunk ends with the document that takes it beyond this. It is one allocation, which lives as long as one of its
/// documents is in flight: a thousand of them must not add up to much.
const CHUNK_BYTES: usize = 16 << 10;
/// A document of more bytes has an allocation of its own.
const LARGE: usize = CHUNK_BYTES / 4;
/// A chunk ends after so many lines, whatever they are: whoever reads has more to do.
const CHUNK_LINES: usize = 4_096;
/// A chunk ends after so many lines that are no documents: they are in memory until they are saved.
const CHUNK_REFUSALS: usize = 256;
/// As for every stage's lines that are too long.
pub(crate) const TOO_LONG: &str = "longer than 1 MiB";

/// Cuts an input into chunks, from its first line to its last.
pub(crate) struct Reader<R> {
    lines: Lines<R>,
    /// What earlier owners had answered; it is passed over.
    answered: LineSet,
    records: u64,
    last_line: u64,
    has_ended: bool,
}

impl<R: Read> Reader<R> {
    pub(crate) fn new(input: R, answered: LineSet) -> Self {
        Reader { lines: Lines::new(input), answered, records: 0, last_line: 0, has_ended: false }
    }

    /// Whether the input was read to its end.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// How many lines were not blank so far, those that an earlier owner had answered included.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// The number of the last line so far.
    pub(crate) fn last_line(&self) -> u64 {
        self.last_line
    }

    /// Reads the next chunk.
    ///
    /// # Errors
    /// Those of the input.
    pub(crate) fn next_chunk(&mut self) -> io::Result<Chunk> {
        let mut chunk = Chunk::default();
        let mut bodies = Bodies::default();
        for _ in 0..CHUNK_LINES {
            if bodies.size >= CHUNK_BYTES || chunk.refused.len() >= CHUNK_REFUSALS {
                break;
            }
            let Some(line) = self.lines.next_line()? else {
                self.has_ended = true;
                break;
            };
            let (number, offset, length) = match line {
                Line::TooLong { number, offset, length } => (number, offset, length),
                Line::Whole { number, offset, bytes } => (number, offset, bytes.len() as u64),
            };
            let place = Place { line: number, offset, length };
            self.last_line = number;
            let document = match line {
                Line::TooLong { .. } => Err(TOO_LONG.to_owned()),
                Line::Whole { bytes, .. } => Ok(without_carriage_return(bytes)),
            };
            if document.as_ref().is_ok_and(|document| document.trim_ascii().is_empty()) {
                chunk.blank.insert(number..=number);
                continue;
            }
            self.records += 1;
            if self.answered.contains(&number) {
                continue;
            }
            match document.and_then(|document| check(document).map(|()| document)) {
                Ok(document) => bodies.push(place, document),
                Err(reason) => chunk.refused.push(Refusal::new(place, reason)),
            }
        }
        chunk.documents = bodies.into_documents().collect();
        Ok(chunk)
    }
}

/// Documents of which the small ones share one allocation. A large one has its own: it must not stay in memory for as long
/// as a small one beside it is in flight.
#[derive(Default)]
struct Bodies {
    size: usize,
    shared: BytesMut,
    documents: Vec<(Place, Body)>,
}

enum Body {
    /// So many bytes of the shared allocation.
    Shared(usize),
    Own(Bytes),
}

impl Bodies {
    fn push(&mut self, place: Place, document: &[u8]) {
        self.size += document.len();
        let body = if document.len() > LARGE {
            Body::Own(Bytes::copy_from_slice(document))
        } else {
            if self.shared.is_empty() {
                self.shared.reserve(CHUNK_BYTES + LARGE);
            }
            self.shared.extend_from_slice(document);
            Body::Shared(document.len())
        };
        self.documents.push((place, body));
    }

    fn into_documents(self) -> impl Iterator<Item = Document> {
        let mut shared = self.shared.freeze();
        self.documents.into_iter().map(move |(place, body)| {
            let body = match body {
                Body::Shared(length) => shared.split_to(length),
                Body::Own(body) => body,
            };
            Document { place, attempts: 0, body }
        })
    }
}

/// Reads a document that was read before.
///
/// # Errors
/// The input cannot be read, or has become shorter.
pub(crate) fn read_again(input: &File, place: Place) -> io::Result<Bytes> {
    let length = usize::try_from(place.length).map_err(io::Error::other)?;
    let mut line = vec![0; length];
    input.read_exact_at(&mut line, place.offset)?;
    line.truncate(without_carriage_return(&line).len());
    Ok(line.into())
}

/// A line that ends in CRLF holds the same document as one that ends in LF.
pub(crate) fn without_carriage_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Looks whether a line is one JSON value, of any kind; says what is wrong with it if not.
fn check(line: &[u8]) -> Result<(), String> {
    if line.starts_with(b"\xef\xbb\xbf") {
        return Err("not a JSON document: it starts with a byte order mark".to_owned());
    }
    let text = std::str::from_utf8(line)
        .map_err(|error| format!("not a JSON document: byte {} is not UTF-8", error.valid_up_to() + 1))?;
    serde_json::from_str::<IgnoredAny>(text).map(|_| ()).map_err(|error| {
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default();
        format!("not a JSON document: {what} at byte {}", error.column())
    })
}

#[cfg(test)]
mod tests {
    use records::MAX_LINE;

    use super::*;

    /// The chunks of an input, of which earlier owners had answered some lines.
    fn all(input: &[u8], answered: LineSet) -> (Vec<Chunk>, Reader<&[u8]>) {
        let mut reader = Reader::new(input, answered);
        let mut chunks = Vec::new();
        while !reader.has_ended() {
            chunks.push(reader.next_chunk().unwrap());
        }
        (chunks, reader)
    }

    fn documents(chunks: &[Chunk]) -> Vec<(u64, &[u8])> {
        let documents = chunks.iter().flat_map(|chunk| &chunk.documents);
        documents.map(|document| (document.place.line, &document.body[..])).collect()
    }

    fn refusals(chunks: &[Chunk]) -> Vec<(u64, &str)> {
        let refused = chunks.iter().flat_map(|chunk| &chunk.refused);
        refused.map(|refusal| (refusal.place.line, refusal.reason.as_str())).collect()
    }

    #[test]
    fn each_line_is_a_document_or_blank_or_refused_with_a_reason() {
        let input = b"{\"a\":1}\n\n 2 \r\n\xef\xbb\xbf{}\n{\"a\":}\n \t\r\n{} {}\n\"\xff\"\nnull";
        let (chunks, reader) = all(input, LineSet::new());
        let expected: [(u64, &[u8]); 3] = [(1, b"{\"a\":1}"), (3, b" 2 "), (9, b"null")];
        assert_eq!(documents(&chunks), expected);
        let expected = [
            (4, "not a JSON document: it starts with a byte order mark"),
            (5, "not a JSON document: expected value at byte 6"),
            (7, "not a JSON document: trailing characters at byte 4"),
            (8, "not a JSON document: byte 2 is not UTF-8"),
        ];
        assert_eq!(refusals(&chunks), expected);
        assert_eq!(chunks[0].blank, LineSet::from_iter([2..=2, 6..=6]));
        assert_eq!((reader.records(), reader.last_line()), (7, 9));
    }

    #[test]
    fn an_empty_input_has_no_lines() {
        let (chunks, reader) = all(b"", LineSet::new());
        assert_eq!((documents(&chunks).len(), reader.records(), reader.last_line()), (0, 0, 0));
    }

    #[test]
    fn a_line_that_is_too_long_is_refused_with_its_place_and_what_follows_goes_on() {
        let mut input = b"1\n\"".to_vec();
        input.resize(input.len() + MAX_LINE, b'x');
        input.extend_from_slice(b"\"\n3\n");
        let (chunks, _) = all(&input, LineSet::new());
        assert_eq!(documents(&chunks), [(1, &b"1"[..]), (3, b"3")]);
        let refused = &chunks[0].refused[0];
        assert_eq!(refused.place, Place { line: 2, offset: 2, length: MAX_LINE as u64 + 2 });
        assert_eq!(refused.reason, TOO_LONG);
    }

    #[test]
    fn what_was_answered_before_is_counted_and_passed_over() {
        let (chunks, reader) = all(b"1\n2\nnot json\n\n5\n", LineSet::from_iter([2..=4]));
        assert_eq!(documents(&chunks), [(1, &b"1"[..]), (5, b"5")]);
        assert_eq!((refusals(&chunks).len(), reader.records(), reader.last_line()), (0, 4, 5));
    }

    #[test]
    fn chunks_are_of_bounded_size_whatever_the_lines_are() {
        let small = "1\n".repeat(100_000);
        let large = format!("\"{}\"\n", "x".repeat(CHUNK_BYTES / 3)).repeat(50);
        let wrong = "x\n".repeat(10_000);
        for input in [small, large, wrong] {
            let (chunks, reader) = all(input.as_bytes(), LineSet::new());
            for chunk in &chunks {
                let bytes: usize = chunk.documents.iter().map(|document| document.body.len()).sum();
                assert!(bytes < 2 * CHUNK_BYTES && chunk.documents.len() <= CHUNK_LINES);
                assert!(chunk.refused.len() <= CHUNK_REFUSALS);
            }
            assert_eq!(reader.last_line(), input.lines().count() as u64);
            assert_eq!(documents(&chunks).len() + refusals(&chunks).len(), input.lines().count());
        }
    }

    #[test]
    fn a_large_document_stays_in_memory_for_its_own_sake_alone() {
        let large = format!("\"{}\"", "x".repeat(2 * LARGE));
        let (chunks, _) = all(format!("1\n{large}\n2\n").as_bytes(), LineSet::new());
        let alone: Vec<_> = chunks[0].documents.iter().map(|document| document.body.is_unique()).collect();
        assert_eq!(alone, [false, true, false]);
    }

    #[test]
    fn a_document_is_read_again_as_it_was() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "{\"a\":1}\n{\"b\":2}\r\n{\"c\":3}").unwrap();
        let file = File::open(file.path()).unwrap();
        let chunk = Reader::new(&file, LineSet::new()).next_chunk().unwrap();
        assert_eq!(chunk.documents.len(), 3);
        for document in chunk.documents {
            assert_eq!(read_again(&file, document.place).unwrap(), document.body);
        }
        let beyond = Place { line: 3, offset: 20, length: 100 };
        assert_eq!(read_again(&file, beyond).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
