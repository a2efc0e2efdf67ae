//! Reads documents from the input: in chunks, ahead of the senders; and single ones again, after a pause.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use bytes::{Bytes, BytesMut};
use records::lines::{Line, Lines};
use serde::de::IgnoredAny;

use crate::ledger::{Chunk, Document, Place, Refusal};
use crate::ordinary::is_ordinary;
use crate::ranges::Ranges;

/// A chunk ends with the document that takes it beyond this: one chunk is one allocation, which lives as long as one of
/// its documents is in flight.
const CHUNK_BYTES: usize = 64 << 10;
/// A chunk ends after so many lines, whatever they are: the end of the work is noticed between two chunks.
const CHUNK_LINES: u64 = 10_000;
/// As for every stage's lines that are too long.
pub(crate) const TOO_LONG: &str = "longer than 1 MiB";

/// Cuts an input into chunks, from its first line to its last.
pub(crate) struct Source<R> {
    lines: Lines<R>,
    /// What earlier owners had answered; it is passed over.
    answered: Ranges,
    /// The last line read: where the input ends with a chunk, there is an empty one behind it.
    last_line: u64,
}

impl<R: Read> Source<R> {
    pub(crate) fn new(input: R, answered: Ranges) -> Self {
        Source { lines: Lines::new(input), answered, last_line: 0 }
    }

    /// Reads the next chunk.
    ///
    /// # Errors
    /// Those of the input.
    pub(crate) fn next_chunk(&mut self) -> io::Result<Chunk> {
        let mut chunk = Chunk { is_last: true, last_line: self.last_line, ..Chunk::default() };
        let mut bodies = Bodies::default();
        let mut lines = 0;
        while let Some(line) = self.lines.next_line()? {
            match line {
                Line::TooLong { number, offset, length } => {
                    let place = Place { line: number, offset, length };
                    if chunk.is_record(number, &self.answered) {
                        chunk.refused.push(Refusal::new(place, TOO_LONG.to_owned()));
                    }
                }
                Line::Whole { number, offset, bytes } => {
                    let place = Place { line: number, offset, length: bytes.len() as u64 };
                    let document = without_carriage_return(bytes);
                    if document.trim_ascii().is_empty() {
                        chunk.blank.insert(number);
                        chunk.last_line = number;
                    } else if chunk.is_record(number, &self.answered) {
                        match check(document) {
                            Ok(()) => bodies.push(place, document),
                            Err(reason) => chunk.refused.push(Refusal::new(place, reason)),
                        }
                    }
                }
            }
            lines += 1;
            if bodies.bytes.len() >= CHUNK_BYTES || lines >= CHUNK_LINES {
                chunk.is_last = false;
                break;
            }
        }
        chunk.documents = bodies.into_documents();
        self.last_line = chunk.last_line;
        Ok(chunk)
    }
}

impl Chunk {
    /// Counts a line that is not blank; returns whether something is to be done about it.
    fn is_record(&mut self, line: u64, answered: &Ranges) -> bool {
        self.records += 1;
        self.last_line = line;
        !answered.contains(line)
    }
}

/// Documents that share one allocation.
#[derive(Default)]
struct Bodies {
    bytes: BytesMut,
    places: Vec<(Place, usize)>,
}

impl Bodies {
    fn push(&mut self, place: Place, document: &[u8]) {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(CHUNK_BYTES + CHUNK_BYTES / 4);
        }
        self.bytes.extend_from_slice(document);
        self.places.push((place, document.len()));
    }

    fn into_documents(self) -> VecDeque<Document> {
        let mut bytes = self.bytes.freeze();
        let document = |(place, length)| Document { place, attempts: 0, body: Some(bytes.split_to(length)) };
        self.places.into_iter().map(document).collect()
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
    if is_ordinary(line) {
        return Ok(());
    }
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

    fn all(input: &[u8], answered: &Ranges) -> Vec<Chunk> {
        let mut source = Source::new(input, answered.clone());
        let mut chunks = Vec::new();
        while chunks.last().is_none_or(|chunk: &Chunk| !chunk.is_last) {
            chunks.push(source.next_chunk().unwrap());
        }
        chunks
    }

    fn documents(chunks: &[Chunk]) -> Vec<(u64, Vec<u8>)> {
        let documents = chunks.iter().flat_map(|chunk| &chunk.documents);
        documents.map(|document| (document.place.line, document.body.as_ref().unwrap().to_vec())).collect()
    }

    fn refusals(chunks: &[Chunk]) -> Vec<(u64, String)> {
        let refused = chunks.iter().flat_map(|chunk| &chunk.refused);
        refused.map(|refusal| (refusal.place.line, refusal.reason.clone())).collect()
    }

    #[test]
    fn each_line_is_a_document_or_blank_or_refused_with_a_reason() {
        let input = b"{\"a\":1}\n\n 2 \r\n\xef\xbb\xbf{}\n{\"a\":}\n \t\r\n{} {}\n\"\xff\"\nnull";
        let chunks = all(input, &Ranges::default());
        let expected = [(1, b"{\"a\":1}".to_vec()), (3, b" 2 ".to_vec()), (9, b"null".to_vec())];
        assert_eq!(documents(&chunks), expected);
        let expected = [
            (4, "not a JSON document: it starts with a byte order mark"),
            (5, "not a JSON document: expected value at byte 6"),
            (7, "not a JSON document: trailing characters at byte 4"),
            (8, "not a JSON document: byte 2 is not UTF-8"),
        ];
        assert_eq!(refusals(&chunks), expected.map(|(line, reason)| (line, reason.to_owned())));
        assert_eq!(chunks[0].blank.iter().collect::<Vec<_>>(), [2..=2, 6..=6]);
        assert_eq!((chunks.len(), chunks[0].records, chunks[0].last_line), (1, 7, 9));
    }

    #[test]
    fn an_empty_input_is_one_empty_chunk() {
        let chunks = all(b"", &Ranges::default());
        assert_eq!((chunks.len(), chunks[0].records, chunks[0].last_line), (1, 0, 0));
    }

    #[test]
    fn a_line_that_is_too_long_is_refused_with_its_place_and_what_follows_goes_on() {
        let mut input = b"1\n\"".to_vec();
        input.resize(input.len() + MAX_LINE, b'x');
        input.extend_from_slice(b"\"\n3\n");
        let chunks = all(&input, &Ranges::default());
        assert_eq!(documents(&chunks), [(1, b"1".to_vec()), (3, b"3".to_vec())]);
        let refused = &chunks[0].refused[0];
        assert_eq!(refused.place, Place { line: 2, offset: 2, length: MAX_LINE as u64 + 2 });
        assert_eq!(refused.reason, TOO_LONG);
    }

    #[test]
    fn what_was_answered_before_is_counted_and_passed_over() {
        let mut answered = Ranges::default();
        answered.insert_range(2..=4);
        let chunks = all(b"1\n2\nnot json\n\n5\n", &answered);
        assert_eq!(documents(&chunks), [(1, b"1".to_vec()), (5, b"5".to_vec())]);
        assert_eq!((refusals(&chunks).len(), chunks[0].records, chunks[0].last_line), (0, 4, 5));
    }

    #[test]
    fn chunks_are_of_bounded_size_whatever_the_lines_are() {
        let small = "1\n".repeat(100_000);
        let large = format!("\"{}\"\n", "x".repeat(CHUNK_BYTES / 3)).repeat(50);
        for input in [small, large] {
            let chunks = all(input.as_bytes(), &Ranges::default());
            for chunk in &chunks {
                let bytes: usize =
                    chunk.documents.iter().map(|document| document.body.as_ref().unwrap().len()).sum();
                assert!(bytes < 2 * CHUNK_BYTES && chunk.documents.len() as u64 <= CHUNK_LINES);
            }
            assert_eq!(documents(&chunks).len(), input.lines().count());
        }
    }

    #[test]
    fn an_input_that_ends_with_a_chunk_has_its_last_line_all_the_same() {
        let answered = Ranges::default();
        for input in ["\n".repeat(10_000), "1\n".repeat(20_000), format!("\"{}\"\n", "x".repeat(CHUNK_BYTES))]
        {
            let chunks = all(input.as_bytes(), &answered);
            let last = chunks.last().unwrap();
            assert!(chunks.len() > 1 && last.documents.is_empty());
            assert_eq!(last.last_line, input.lines().count() as u64);
        }
    }

    #[test]
    fn a_document_is_read_again_as_it_was() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "{\"a\":1}\n{\"b\":2}\r\n{\"c\":3}").unwrap();
        let file = File::open(file.path()).unwrap();
        let mut source = Source::new(&file, Ranges::default());
        let chunk = source.next_chunk().unwrap();
        assert_eq!(chunk.documents.len(), 3);
        for document in chunk.documents {
            assert_eq!(Some(read_again(&file, document.place).unwrap()), document.body);
        }
        let beyond = Place { line: 3, offset: 20, length: 100 };
        assert_eq!(read_again(&file, beyond).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
