use std::io;

use proptest::prelude::*;

use super::{Pattern, PatternError, text_to_csv};
use crate::testing::{Outcome, Pieces};
use crate::{Counts, MAX_LINE};

fn outcome(pattern: &str, input: impl AsRef<[u8]>) -> Outcome {
    Outcome::of(text_to_csv(pattern.parse().unwrap()), input.as_ref())
}

fn output(pattern: &str, input: &str) -> String {
    String::from_utf8(outcome(pattern, input).output).unwrap()
}

#[test]
fn named_groups_become_the_columns_in_their_order() {
    let csv = output(r"^(\w+) (?<second>\w+) (?P<first>\w+)", "a b c\nd e f g\n");
    assert_eq!(csv, "second,first\nb,c\ne,f\n");
    let nested = output(r"(?<all>(?<key>\w+)=(?<value>\w+))", "x=1");
    assert_eq!(nested, "all,key,value\nx=1,x,1\n");
}

#[test]
fn a_group_that_takes_no_part_is_an_empty_field() {
    assert_eq!(output("^(?<a>a)?(?<b>b)?(?<rest>.*)$", "a\nb\nc\n"), "a,b,rest\na,,\n,b,\n,,c\n");
    assert_eq!(output("^x(?<only>.*)", "x\nxy\n"), "only\n\"\"\ny\n", "a record, not a blank line");
}

#[test]
fn a_line_that_does_not_match_is_rejected_and_a_blank_one_skipped() {
    let outcome = outcome("^(?<n>[0-9]+)$", "1\n\n \t\nx2\n3\n");
    assert_eq!(outcome.output, b"n\n1\n3\n");
    assert_eq!(outcome.rejected, [(4, "the pattern does not match".to_owned(), b"x2".to_vec())]);
    assert_eq!(outcome.counts, Counts { ok: 2, rejected: 1 });
}

#[test]
fn without_a_record_there_is_no_header() {
    for input in ["", "\n\n", "x\ny"] {
        assert_eq!(output("(?<n>[0-9]+)", input), "", "{input:?}");
    }
}

#[test]
fn fields_are_quoted_where_csv_needs_it() {
    assert_eq!(output("(?<a>.*) (?<b>.*)", "x,y \"z\"\r\n"), "a,b\n\"x,y\",\"\"\"z\"\"\"\n");
}

#[test]
fn lines_may_end_in_crlf_and_start_with_a_byte_order_mark() {
    assert_eq!(output("^(?<a>.*)$", "\u{feff}x\r\ny\r\n"), "a\nx\ny\n");
    assert_eq!(
        output("^(?<a>.*)$", "x\ny\r\n"),
        "a\nx\n\"y\r\"\n",
        "the first line ends in a line feed alone"
    );
}

#[test]
fn what_is_no_text_is_rejected_as_it_is_of_a_listing() {
    let outcome = outcome("(?<a>.*)", b"ok\n\xff\na\0\n");
    assert_eq!(outcome.output, b"a\nok\n");
    let reasons =
        [(2, "expected utf-8, byte 1 is not"), (3, "expected text, byte 2 is nul (is the file utf-16?)")];
    assert_eq!(outcome.reasons(), reasons);
    let utf_16 = super::tests::outcome("(?<a>.*)", b"\xff\xfea\0\n\0");
    assert_eq!(utf_16.reasons(), [1, 2].map(|n| (n, "expected utf-8, the file is utf-16 (little endian)")));
}

#[test]
fn what_would_be_too_long_as_csv_is_rejected() {
    let long = "x".repeat(MAX_LINE);
    assert_eq!(outcome("^(?<a>.{5})", &long).counts.ok, 1);
    let longest = &long[..MAX_LINE - 3];
    assert_eq!(outcome("^(?<a>.*)", longest).counts.ok, 1);
    let reason = [(1, "its CSV record would be longer than 1 MiB")];
    assert_eq!(outcome("^(?<a>(?<b>.*))", longest).reasons(), reason, "it is there twice");
    assert_eq!(outcome("^(?<a>.*)", longest.replace('x', "\"")).reasons(), reason, "quotes are doubled");
}

#[test]
fn a_line_of_any_length_goes_by_in_bounded_memory() {
    let mut pieces = Pieces::default();
    let convert = text_to_csv("(?<a>.*)".parse().unwrap());
    let mut line = io::Read::take(io::repeat(b'x'), 50 << 20);
    let counts = convert(&mut line, &mut io::sink(), &mut pieces).unwrap();
    assert_eq!(counts, Counts { ok: 0, rejected: 1 });
    assert!(pieces.longest <= 2 * MAX_LINE);
}

#[test]
fn a_pattern_needs_a_named_group_and_to_be_one() {
    let wrong = |text: &str| text.parse::<Pattern>().unwrap_err();
    assert!(matches!(wrong("([0-9]+)"), PatternError::NoNamedGroup));
    for text in ["(?<a>", "(?<a>x)(?<a>y)", "(?<a>x{1000}){1000}{1000}"] {
        assert!(matches!(wrong(text), PatternError::Regex(_)), "{text}");
    }
}

proptest! {
    #[test]
    fn every_line_is_a_record_or_rejected_with_the_fields_that_it_has(
        lines in prop::collection::vec("[a-c,\" ]{0,6}=[a-c,\"é]{0,6}|[a-c,\"]{1,6}", 0..12),
    ) {
        let outcome = outcome("^(?<key>[^=]*)=(?<value>.*)$", lines.join("\n"));
        let mut reader = csv::Reader::from_reader(&outcome.output[..]);
        let found: Vec<_> = reader.records().map(|record| record.unwrap()).collect();
        let found: Vec<_> = found.iter().map(|record| (&record[0], &record[1])).collect();
        let expected: Vec<_> = lines.iter().filter_map(|line| line.split_once('=')).collect();
        prop_assert_eq!(outcome.counts.ok, found.len() as u64);
        prop_assert_eq!(found, expected);
        prop_assert_eq!(outcome.rejected.len(), lines.iter().filter(|line| !line.contains('=')).count());
    }
}
