use std::io::{self, ErrorKind, Read};

use proptest::prelude::*;

use super::{Line, Lines};
use crate::testing::{Outcome, Pieces};
use crate::{BLOCK, MAX_LINE};

/// A line as it came out: its number, offset, length, and its bytes unless it is too long.
type Seen = (u64, u64, u64, Option<Vec<u8>>);

fn seen(line: &Line<'_>) -> Seen {
    match *line {
        Line::Whole { number, offset, bytes } => (number, offset, bytes.len() as u64, Some(bytes.to_vec())),
        Line::TooLong { number, offset, length } => (number, offset, length, None),
    }
}

fn all(input: impl Read) -> Vec<Seen> {
    let mut lines = Lines::new(input);
    let mut all = Vec::new();
    while let Some(line) = lines.next_line().unwrap() {
        all.push(seen(&line));
    }
    all
}

/// What has to come out, from the whole input.
fn expected(input: &[u8]) -> Vec<Seen> {
    let mut offset = 0;
    let mut expected = Vec::new();
    for (line, number) in input.split_inclusive(|&byte| byte == b'\n').zip(1..) {
        let bytes = line.strip_suffix(b"\n").unwrap_or(line);
        let whole = (bytes.len() <= MAX_LINE).then(|| bytes.to_vec());
        expected.push((number, offset, bytes.len() as u64, whole));
        offset += line.len() as u64;
    }
    expected
}

/// Reads at most so many bytes at once, by turns, and is interrupted in between.
struct Sips<'a> {
    rest: &'a [u8],
    sizes: Vec<usize>,
    reads: usize,
}

impl<'a> Sips<'a> {
    fn new(rest: &'a [u8], sizes: Vec<usize>) -> Self {
        Self { rest, sizes, reads: 0 }
    }
}

impl Read for Sips<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        if self.reads.is_multiple_of(3) {
            return Err(ErrorKind::Interrupted.into());
        }
        let size = self.sizes[self.reads % self.sizes.len()].min(buffer.len());
        self.rest.read(&mut buffer[..size])
    }
}

proptest! {
    #[test]
    fn lines_are_the_same_however_small_the_reads(
        input in "[a\r\n]{0,40}",
        sizes in prop::collection::vec(1..9_usize, 1..5),
    ) {
        prop_assert_eq!(all(Sips::new(input.as_bytes(), sizes)), expected(input.as_bytes()));
    }
}

#[test]
fn lines_around_the_longest_come_out_with_their_places() {
    let lengths = [MAX_LINE - 1, 0, MAX_LINE, 1, MAX_LINE + 1, 2, 3 * MAX_LINE, 3, BLOCK, MAX_LINE + 1];
    let mut input = Vec::new();
    for length in lengths {
        input.resize(input.len() + length, b'x');
        input.push(b'\n');
    }
    let wanted = expected(&input);
    for sizes in [vec![usize::MAX], vec![1 << 16], vec![4_093, 70_001]] {
        assert!(all(Sips::new(&input, sizes.clone())) == wanted, "with reads of {sizes:?}");
    }
    input.pop();
    assert!(all(&input[..]) == wanted, "without the last line feed");
}

#[test]
fn a_line_that_is_too_long_is_rejected_as_it_stands() {
    let mut input = b"first\n".to_vec();
    input.extend((0..MAX_LINE + 1).map(|at| b'a' + (at % 23) as u8));
    let long = input[6..].to_vec();
    input.extend_from_slice(b"\nlast");
    let mut lines = Lines::new(Sips::new(&input, vec![100_000]));
    let mut rejects = Outcome::default();
    let mut numbers = Vec::new();
    while let Some(line) = lines.next_line_or_reject(&mut rejects).unwrap() {
        numbers.push(seen(&line).0);
    }
    assert_eq!(numbers, [1, 2, 3]);
    assert!(rejects.rejected == [(2, "longer than 1 MiB".to_owned(), long)]);
}

#[test]
fn a_line_of_any_length_passes_in_bounded_memory() {
    const LENGTH: u64 = 300 << 20;
    let mut lines = Lines::new(io::repeat(b'x').take(LENGTH));
    let mut rejects = Pieces::default();
    let line = lines.next_line_or_reject(&mut rejects).unwrap();
    assert_eq!(line, Some(Line::TooLong { number: 1, offset: 0, length: LENGTH }));
    assert!(rejects.longest <= 2 * MAX_LINE);
    assert_eq!(lines.buffer.capacity(), 2 * MAX_LINE);
    assert_eq!(lines.next_line().unwrap(), None);
}

#[test]
fn tiny_reads_of_long_lines_take_no_quadratic_time() {
    // Moving what is kept for each of these reads would take very long.
    let input = vec![b'x'; 2 * MAX_LINE];
    assert_eq!(all(Sips::new(&input, vec![2])), [(1, 0, 2 << 20, None)]);
}

#[test]
fn after_a_failed_read_the_same_line_can_be_pulled_again() {
    struct FailsOnce(u8);
    impl Read for FailsOnce {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 => (&b"one\ntw"[..]).read(buffer),
                2 => Err(ErrorKind::TimedOut.into()),
                3 => (&b"o\n"[..]).read(buffer),
                _ => Ok(0),
            }
        }
    }
    let mut lines = Lines::new(FailsOnce(0));
    assert_eq!(seen(&lines.next_line().unwrap().unwrap()).3.unwrap(), b"one");
    assert_eq!(lines.next_line().unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(lines.next_line().unwrap(), Some(Line::Whole { number: 2, offset: 4, bytes: b"two" }));
    assert_eq!(lines.next_line().unwrap(), None);
}

#[test]
fn the_end_of_the_input_is_read_once() {
    struct EndsTwice(bool);
    impl Read for EndsTwice {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            assert!(!self.0, "read after its end");
            self.0 = true;
            Ok(0)
        }
    }
    let mut lines = Lines::new(EndsTwice(false));
    assert_eq!(lines.next_line().unwrap(), None);
    assert_eq!(lines.next_line().unwrap(), None);
}

#[test]
fn joining_is_a_look_until_it_is_kept() {
    let mut lines = Lines::new(Sips::new(b"a\nb\nc\nd", vec![1]));
    lines.next_line().unwrap();
    assert_eq!(lines.join().unwrap(), Some(&b"b"[..]));
    assert_eq!(lines.join().unwrap(), Some(&b"c"[..]));
    assert_eq!(lines.in_hand(), b"a");
    assert_eq!(lines.next_line().unwrap(), Some(Line::Whole { number: 2, offset: 2, bytes: b"b" }));
    assert_eq!(lines.join().unwrap(), Some(&b"c"[..]));
    lines.keep_joined();
    assert_eq!(lines.in_hand(), b"b\nc");
    assert_eq!(lines.next_line().unwrap(), Some(Line::Whole { number: 4, offset: 6, bytes: b"d" }));
    assert_eq!(lines.join().unwrap(), None);
    lines.keep_joined();
    assert_eq!(lines.in_hand(), b"d");
    assert_eq!(lines.next_line().unwrap(), None);
}

#[test]
fn lines_are_joined_up_to_the_longest() {
    let mut input = vec![b'\n'; MAX_LINE + 2];
    let mut lines = Lines::new(&input[..]);
    lines.next_line().unwrap();
    for _ in 0..MAX_LINE {
        assert_eq!(lines.join().unwrap(), Some(&b""[..]));
    }
    assert_eq!(lines.join().unwrap(), None);
    lines.keep_joined();
    assert_eq!(lines.in_hand().len(), MAX_LINE);
    assert_eq!(
        lines.next_line().unwrap(),
        Some(Line::Whole { number: 2 + MAX_LINE as u64, offset: 1 + MAX_LINE as u64, bytes: b"" })
    );

    input[2..].fill(b'x');
    let mut lines = Lines::new(&input[..]);
    lines.next_line().unwrap();
    assert_eq!(lines.join().unwrap(), Some(&b""[..]));
    let kept = lines.join().unwrap().map(<[u8]>::len);
    assert_eq!(kept, None, "two line feeds and the rest are too long together");
}
