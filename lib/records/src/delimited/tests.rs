use std::fmt::Write as _;

use super::{MAX_NAME, Names, NamesError, csv_to_json, csv_to_json_by_header};
use crate::testing::Outcome;
use crate::{Counts, MAX_LINE};

fn by_header(input: impl AsRef<[u8]>) -> Outcome {
    Outcome::of(csv_to_json_by_header, input.as_ref())
}

fn by_names(names: &str, input: &str) -> Outcome {
    Outcome::of(csv_to_json(names.parse().unwrap()), input.as_bytes())
}

fn output(outcome: &Outcome) -> &str {
    std::str::from_utf8(&outcome.output).unwrap()
}

#[test]
fn the_first_row_names_the_members_in_its_order() {
    let outcome = by_header("z,a\n1,2\n\n\"x\ny\",\"\"\"\"\n");
    assert_eq!(output(&outcome), "{\"z\":\"1\",\"a\":\"2\"}\n{\"z\":\"x\\ny\",\"a\":\"\\\"\"}\n");
    assert_eq!((outcome.counts, outcome.header), (Counts { ok: 2, rejected: 0 }, None));
}

#[test]
fn names_may_be_given_instead() {
    assert_eq!(output(&by_names("a,\"b,c\"", "a,b\n")), "{\"a\":\"a\",\"b,c\":\"b\"}\n");
}

#[test]
fn a_header_may_hold_what_any_record_may() {
    let outcome = by_header("\u{feff}\n \"a\", b \r\n1,2\r\n");
    assert_eq!(output(&outcome), "{\" \\\"a\\\"\":\"1\",\" b \":\"2\"}\n");
    let outcome = by_header("\u{feff}\"two\nlines\",b\n1,2\n");
    assert_eq!(output(&outcome), "{\"two\\nlines\":\"1\",\"b\":\"2\"}\n");
}

#[test]
fn a_record_of_another_length_is_rejected_behind_the_header() {
    let outcome = by_header("\u{feff}a,\"b\nb\"\r\n1\n1,2\n1,2,3\n");
    assert_eq!(outcome.counts, Counts { ok: 1, rejected: 2 });
    let reasons = [(3, "expected 2 fields, found 1"), (5, "expected 2 fields, found 3")];
    assert_eq!(outcome.reasons(), reasons);
    assert_eq!(outcome.rejected_file(), "\u{feff}a,\"b\nb\"\r\n1\n1,2,3\n".as_bytes());
    assert_eq!(by_names("a,b", "1\n").rejected_file(), b"1\n");
}

#[test]
fn what_was_rejected_goes_through_once_it_is_mended() {
    let first = by_header("a,b\n1\né,2\n3,\"4\n5,6\n");
    assert_eq!(
        (first.counts, output(&first)),
        (Counts { ok: 2, rejected: 2 }, "{\"a\":\"é\",\"b\":\"2\"}\n{\"a\":\"5\",\"b\":\"6\"}\n")
    );
    let mended = String::from_utf8(first.rejected_file()).unwrap().replace("1\n", "1,0\n").replace('"', "");
    assert_eq!(output(&by_header(mended)), "{\"a\":\"1\",\"b\":\"0\"}\n{\"a\":\"3\",\"b\":\"4\"}\n");
}

#[test]
fn a_header_that_cannot_be_used_rejects_the_file_as_it_stands() {
    for (header, why) in [
        ("a,,b", "field 2 has no name"),
        ("a, ,b", "field 2 has no name"),
        ("a,b,a", "fields 1 and 3 have the same name `a`"),
        (
            "a,\"b",
            "expected the quote opened in this line to be closed within 1 MiB, before a comma or a line end",
        ),
        (&"x".repeat(MAX_NAME + 1), "the name of field 1 is longer than 1 KiB"),
    ] {
        let file = format!("\n{header}\n1,2,3\n\n\"1\n\n\",2,3\n");
        let outcome = by_header(&file);
        assert_eq!(outcome.output, b"");
        assert_eq!(outcome.reasons()[0], (2, &*format!("the header cannot be used: {why}")));
        assert_eq!(outcome.reasons()[1], (3, &*format!("the header, line 2, cannot be used: {why}")));
        assert_eq!(outcome.rejected_file(), file.as_bytes()[1..]);
        assert_eq!(outcome.counts, Counts { ok: 0, rejected: 6 });
        assert_eq!(
            output(&by_header(file.replacen(header, "x,y,z", 1))).lines().count(),
            2,
            "once it is mended"
        );
    }
}

#[test]
fn a_header_that_is_no_text_rejects_the_file_too() {
    assert_eq!(by_header(b"a,\xff\n1,2\n").rejected_file(), b"a,\xff\n1,2\n");
    let utf_16 = by_header(b"\xff\xfea\0\n\0x\0");
    assert_eq!(utf_16.counts, Counts { ok: 0, rejected: 2 });
    assert_eq!(
        utf_16.reasons()[0].1,
        "the header cannot be used: expected utf-8, the file is utf-16 (little endian)"
    );
    let long = [&b"x".repeat(MAX_LINE + 1)[..], b"\n1\n"].concat();
    let outcome = by_header(&long);
    assert_eq!(outcome.rejected_file(), long);
    assert_eq!(outcome.reasons()[1], (2, "the header, line 1, cannot be used: longer than 1 MiB"));
}

#[test]
fn a_line_that_is_too_long_is_rejected_behind_the_header() {
    let file = [&b"a,b\n"[..], &b"x".repeat(MAX_LINE + 1), b"\n1,2\n"].concat();
    let outcome = by_header(&file);
    assert_eq!(outcome.counts, Counts { ok: 1, rejected: 1 });
    assert_eq!(outcome.rejected_file(), file[..file.len() - 4]);
}

#[test]
fn of_a_header_alone_nothing_comes() {
    for input in ["", "\n\n", "a,b\n"] {
        assert_eq!(by_header(input), Outcome::default(), "{input:?}");
    }
}

#[test]
fn blanks_are_a_record_where_that_has_one_field() {
    assert_eq!(
        output(&by_header("a\n \n\n\"\"\n\r\n\t\r\n")),
        "{\"a\":\" \"}\n{\"a\":\"\"}\n{\"a\":\"\\t\"}\n"
    );
    assert_eq!(output(&by_header("a,b\n \n\n1,2\n")), "{\"a\":\"1\",\"b\":\"2\"}\n");
}

#[test]
fn a_document_is_no_longer_than_the_next_stage_reads() {
    let names: Vec<_> = (0..1000).map(|n| format!("{n:01000}")).collect();
    let header = names.join(",");
    let of = |length: usize| {
        let values = vec!["x".repeat(length); 1000].join(",");
        by_header(format!("{header}\n{values}\n"))
    };
    let short = of(40);
    assert_eq!(short.counts, Counts { ok: 1, rejected: 0 });
    assert!(short.output.len() <= MAX_LINE + 1);
    assert_eq!(of(45).reasons(), [(2, "its JSON document would be longer than 1 MiB")]);
}

#[test]
fn many_columns_and_hostile_quotes_take_no_quadratic_time() {
    // Each line ends in an open quote, and as a line within a field in another.
    let line = "a\",x\",\"\n";
    let names = (0..MAX_LINE / 32).fold(String::new(), |mut names, n| {
        write!(names, "{n},").unwrap();
        names
    });
    let file = format!("{names}z\n{}", line.repeat(MAX_LINE / 8 / line.len()));
    let outcome = by_header(&file);
    assert_eq!(outcome.counts.ok, 0);
    assert_eq!(outcome.rejected_file(), file.as_bytes());
    assert!(outcome.reasons().iter().any(|(_, why)| why.contains("too many before it")));
}

#[test]
fn names_are_given_as_a_header_has_them() {
    let read = |text: &str| text.parse::<Names>();
    assert_eq!(read("a,b"), Ok(Names(vec!["a".into(), "b".into()])));
    assert_eq!(read("\"a,b\",c\n").unwrap().0, ["a,b", "c"]);
    assert_eq!(read(""), Err(NamesError::Empty { field: 1 }));
    assert_eq!(read("a,"), Err(NamesError::Empty { field: 2 }));
    assert_eq!(read("a,a"), Err(NamesError::Twice { name: "a".into(), first: 1, second: 2 }));
    assert_eq!(read("a\nb"), Err(NamesError::NotOne));
    assert!(matches!(read("\"a"), Err(NamesError::Unreadable(_))));
}
