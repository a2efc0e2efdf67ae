//! What a batch's journal says, as bytes: pure encoding and decoding.
//!
//! A record is a line, and ends in the CRC-32 of what stands before it. What is true of a batch is the union of all
//! records up to the first that is damaged: the end of what was written last may be torn.
//!
//! ```text
//! P 1-500,502,510-520 874cf730                       lines about which nothing is left to do
//! R 17 2890 171 answered 400 Bad Request 296891d3    line, offset and length of what goes into rejected/, and why
//! ```
//!
//! An `R` stands before the `P` that covers its line; without that `P` it does not count. The bytes of what was refused
//! are not in the journal: the input stays in its place until the commit.

use std::fmt::Write as _;
use std::io::{self, BufRead, Read};
use std::ops::RangeInclusive;

use crate::document::{Increment, LineSet, Place, Refusal};

/// So many ranges are in one record at most: it must fit into [`MAX_RECORD`].
const RANGES_PER_RECORD: usize = 256;
/// No record is longer, in bytes; what is longer is damaged.
const MAX_RECORD: usize = 16 << 10;
/// A blank, eight digits and a line feed.
const TAIL: usize = 10;

/// One record of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Record {
    Answered(Vec<RangeInclusive<u64>>),
    Refused(Refusal),
}

/// Appends what an increment says: its refusals, then the lines that it covers.
pub(crate) fn encode(increment: &Increment, journal: &mut Vec<u8>) {
    for refusal in &increment.refusals {
        encode_refusal(refusal, journal);
    }
    encode_answered(&increment.answered, journal);
}

/// Appends an `R`.
pub(crate) fn encode_refusal(refusal: &Refusal, journal: &mut Vec<u8>) {
    let Place { line, offset, length } = refusal.place;
    let reason = refusal.reason.replace('\\', "\\\\").replace('\n', "\\n");
    append(&format!("R {line} {offset} {length} {reason}"), journal);
}

/// Appends as many `P` as it takes.
pub(crate) fn encode_answered(answered: &LineSet, journal: &mut Vec<u8>) {
    let mut record = String::new();
    let mut ranges = answered.iter().peekable();
    while ranges.peek().is_some() {
        record.clear();
        record.push('P');
        for (index, range) in ranges.by_ref().take(RANGES_PER_RECORD).enumerate() {
            let before = if index == 0 { ' ' } else { ',' };
            let (first, last) = range.clone().into_inner();
            // Writing to a string cannot fail.
            let _ = write!(record, "{before}{first}");
            if last != first {
                let _ = write!(record, "-{last}");
            }
        }
        append(&record, journal);
    }
}

fn append(record: &str, journal: &mut Vec<u8>) {
    journal.extend_from_slice(record.as_bytes());
    journal.extend_from_slice(format!(" {:08x}\n", crc32fast::hash(record.as_bytes())).as_bytes());
}

/// The records of a journal up to its end, or to the first that is damaged.
///
/// # Errors
/// Each item: the journal cannot be read.
pub(crate) fn records<R: BufRead>(mut journal: R) -> impl Iterator<Item = io::Result<Record>> {
    let mut line = Vec::new();
    std::iter::from_fn(move || {
        line.clear();
        match journal.by_ref().take(MAX_RECORD as u64).read_until(b'\n', &mut line) {
            Ok(_) => decode(&line).map(Ok),
            Err(error) => Some(Err(error)),
        }
    })
    .fuse()
}

/// Reads one line with its line feed; `None`: it is damaged, torn, or of a kind unknown.
fn decode(line: &[u8]) -> Option<Record> {
    let (record, tail) = line.split_at_checked(line.len().checked_sub(TAIL)?)?;
    if tail != format!(" {:08x}\n", crc32fast::hash(record)).as_bytes() {
        return None;
    }
    let (kind, rest) = std::str::from_utf8(record).ok()?.split_once(' ')?;
    match kind {
        "P" => rest.split(',').map(decode_range).collect::<Option<_>>().map(Record::Answered),
        "R" => decode_refusal(rest).map(Record::Refused),
        _ => None,
    }
}

fn decode_range(range: &str) -> Option<RangeInclusive<u64>> {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some(first..=last)
}

fn decode_refusal(rest: &str) -> Option<Refusal> {
    let mut fields = rest.splitn(4, ' ');
    let mut number = || fields.next()?.parse().ok();
    let place = Place { line: number()?, offset: number()?, length: number()? };
    Some(Refusal { place, reason: unescape(fields.next()?)? })
}

fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next()? {
                'n' => '\n',
                '\\' => '\\',
                _ => return None,
            },
            other => other,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(journal: &[u8]) -> Vec<Record> {
        records(journal).collect::<io::Result<_>>().unwrap()
    }

    fn increment(answered: &[(u64, u64)], refusals: Vec<Refusal>) -> Increment {
        let mut increment = Increment { refusals, ..Increment::default() };
        for (first, length) in answered {
            increment.answered.insert(*first..=first.saturating_add(*length));
        }
        increment
    }

    fn refusal() -> impl Strategy<Value = Refusal> {
        (any::<u64>(), any::<u64>(), any::<u64>(), ".{0,80}|[\\\\\n n]{0,9}")
            .prop_map(|(line, offset, length, reason)| Refusal::new(Place { line, offset, length }, reason))
    }

    fn increments() -> impl Strategy<Value = Vec<Increment>> {
        let answered = prop::collection::vec((any::<u64>(), 0u64..1_000), 0..600);
        let refusals = prop::collection::vec(refusal(), 0..5);
        prop::collection::vec((answered, refusals).prop_map(|(a, r)| increment(&a, r)), 0..4)
    }

    fn journal(increments: &[Increment]) -> Vec<u8> {
        let mut journal = Vec::new();
        for increment in increments {
            encode(increment, &mut journal);
        }
        journal
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(increments in increments()) {
            let (mut answered, mut refusals) = (LineSet::new(), Vec::new());
            for record in read(&journal(&increments)) {
                match record {
                    Record::Answered(ranges) => answered.extend(ranges),
                    Record::Refused(refusal) => refusals.push(refusal),
                }
            }
            let expected: LineSet = increments.iter().flat_map(|increment| increment.answered.iter().cloned()).collect();
            prop_assert_eq!(answered, expected);
            let expected: Vec<_> = increments.into_iter().flat_map(|increment| increment.refusals).collect();
            prop_assert_eq!(refusals, expected);
        }
    }

    fn sample() -> Vec<u8> {
        let refuse =
            |line| Refusal::new(Place { line, offset: line * 9, length: 8 }, "says \\ no\nat all".into());
        journal(&[
            increment(&[(1, 3), (7, 0)], vec![refuse(2)]),
            increment(&[(5, 1)], vec![refuse(5), refuse(6)]),
            increment(&[(8, 1_000_000)], vec![]),
        ])
    }

    #[test]
    fn every_truncation_leaves_the_records_before_it() {
        let whole = sample();
        let all = read(&whole);
        assert_eq!(all.len(), 6);
        for end in 0..=whole.len() {
            let lines = whole[..end].iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(read(&whole[..end]), all[..lines], "cut at {end}");
        }
    }

    #[test]
    fn every_flipped_bit_leaves_the_records_before_it() {
        let whole = sample();
        let all = read(&whole);
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let lines = whole[..bit / 8].iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(read(&damaged), all[..lines], "bit {bit}");
        }
    }

    #[test]
    fn a_thousand_ranges_take_several_records_none_of_them_too_long() {
        let scattered: Vec<_> = (0..1_000).map(|index| (u64::MAX / 2 + index * 3, 1)).collect();
        let journal = journal(&[increment(&scattered, vec![])]);
        assert_eq!(read(&journal).len(), 4);
        let reason = "\\".repeat(10_000);
        let long = Refusal::new(Place { line: u64::MAX, offset: u64::MAX, length: u64::MAX }, reason);
        let mut journal = Vec::new();
        encode_refusal(&long, &mut journal);
        assert_eq!(read(&journal), [Record::Refused(long)]);
    }

    #[test]
    fn the_records_shown_above_are_read() {
        let shown = "P 1-500,502,510-520 874cf730\nR 17 2890 171 answered 400 Bad Request 296891d3\n";
        assert_eq!(read(shown.as_bytes()).len(), 2);
    }

    #[test]
    fn what_follows_an_unknown_record_does_not_count() {
        let mut journal = Vec::new();
        append("P 1-3", &mut journal);
        append("Z whatever comes later", &mut journal);
        append("P 4-6", &mut journal);
        assert_eq!(read(&journal), [Record::Answered(vec![1..=3])]);
    }
}
