//! What holds for any input.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod any_bytes;

use any_bytes::testing::{self, Outcome, Sips};
use any_bytes::{NAMES, check, check_by_header};
use csv_to_json::convert;
use proptest::prelude::*;
use proptest::string::string_regex;
use records::{Counts, delimited};

/// What the csv crate writes of these fields.
fn written<const FIELDS: usize>(records: &[[String; FIELDS]], terminator: csv::Terminator) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
    for record in records {
        writer.write_record(record).unwrap();
    }
    writer.into_inner().unwrap()
}

fn field() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9 ]{0,12}", "[\",\r\n\\\\é\t\u{1}]{0,6}", any::<String>()]
}

/// Files of lines that are records, or nearly, or nothing of the kind.
fn file() -> impl Strategy<Value = Vec<u8>> {
    let field = "([a-z]{0,5}|\"[a-z,\r\n]{0,4}(\"\")?\"|[\"\r\\\\\u{e9}]{0,3})";
    let line = prop_oneof![
        4 => matching(&format!("({field},){{6}}{field}")),
        2 => matching(&format!("({field},){{0,9}}{field}")),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    let end = prop_oneof![Just("\n"), Just("\r\n")];
    let start =
        prop_oneof![8 => Just(&b""[..]), 1 => Just(&b"\xef\xbb\xbf"[..]), 1 => Just(&b"\xff\xfe"[..])];
    (start, prop::collection::vec(line, 0..12), end)
        .prop_map(|(start, lines, end)| [start, &lines.join(end.as_bytes())].concat())
}

fn matching(expression: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    string_regex(expression).unwrap().prop_map(String::into_bytes)
}

proptest! {
    #[test]
    fn any_file_becomes_documents_and_what_was_rejected(file in file()) {
        check(&file);
        check_by_header(&file);
        check_by_header(&[b"a,b\n", &file[..]].concat());
    }

    #[test]
    fn so_do_any_bytes(bytes in any::<Vec<u8>>()) {
        check(&bytes);
        check_by_header(&bytes);
        check_by_header(&[b"a,b\n", &bytes[..]].concat());
    }

    #[test]
    fn reads_of_any_size_come_to_the_same(file in file(), sizes in prop::collection::vec(1..50_usize, 1..6)) {
        prop_assert_eq!(Outcome::of(convert, Sips::new(&file, sizes)), Outcome::of(convert, &file[..]));
    }

    #[test]
    fn any_fields_that_others_write_become_what_serde_json_makes_of_them(
        records in prop::collection::vec(prop::array::uniform7(field()), 0..8),
        crlf in any::<bool>(),
    ) {
        // Of a byte order mark at its very start a file does not tell whose it is.
        prop_assume!(!records.first().is_some_and(|record| record[0].starts_with('\u{feff}')));
        let expected = documents(&NAMES.map(str::to_owned), &records);
        let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let outcome = Outcome::of(convert, &written(&records, terminator)[..]);
        prop_assert_eq!(String::from_utf8(outcome.output).unwrap(), expected);
        prop_assert_eq!(outcome.counts, Counts { ok: records.len() as u64, rejected: 0 });
    }

    #[test]
    fn any_header_that_others_write_names_the_fields_of_what_they_write(
        rows in prop::collection::vec(prop::array::uniform3(field()), 1..8),
        crlf in any::<bool>(),
    ) {
        let names = &rows[0];
        let has_name = |name: &String| !name.trim_matches([' ', '\t', '\r']).is_empty();
        prop_assume!(names.iter().all(has_name) && !names[0].starts_with('\u{feff}'));
        prop_assume!(names[0] != names[1] && names[1] != names[2] && names[2] != names[0]);
        let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let by_header = Outcome::of(delimited::csv_to_json_by_header, &written(&rows, terminator)[..]);
        prop_assert_eq!(String::from_utf8(by_header.output).unwrap(), documents(names, &rows[1..]));
        prop_assert_eq!(by_header.counts, Counts { ok: rows.len() as u64 - 1, rejected: 0 });

        let given = String::from_utf8(written(&rows[..1], terminator)).unwrap().parse().unwrap();
        prop_assume!(!rows.get(1).is_some_and(|row| row[0].starts_with('\u{feff}')));
        let by_names = Outcome::of(delimited::csv_to_json(given), &written(&rows[1..], terminator)[..]);
        prop_assert_eq!(String::from_utf8(by_names.output).unwrap(), documents(names, &rows[1..]));
    }
}

/// What `serde_json` writes of these fields.
fn documents<const FIELDS: usize>(names: &[String; FIELDS], records: &[[String; FIELDS]]) -> String {
    let json = |text: &String| serde_json::to_string(text).unwrap();
    let document = |record: &[String; FIELDS]| {
        let members = names.iter().zip(record).map(|(name, field)| format!("{}:{}", json(name), json(field)));
        format!("{{{}}}\n", members.collect::<Vec<_>>().join(","))
    };
    records.iter().map(document).collect()
}

#[test]
fn the_corpus_of_the_fuzz_target_holds() {
    testing::assert_corpus("csv", check);
    testing::assert_corpus("header", check_by_header);
}

#[test]
fn a_file_without_a_line_feed_is_rejected_in_bounded_memory() {
    for byte in [b'x', b'"', b','] {
        testing::assert_rejected_in_bounded_memory(convert, byte, 100 << 20);
        testing::assert_rejected_in_bounded_memory(delimited::csv_to_json_by_header, byte, 100 << 20);
    }
}

#[test]
fn errors_of_reader_writer_and_rejects_come_back_as_they_were() {
    testing::assert_errors_come_back(convert, b"a,b,c,d,e,f,g\n", b"x");
    testing::assert_errors_come_back(convert, b"a,b,c,d,e,f,\"g\"\n", b"x");
    testing::assert_errors_come_back(delimited::csv_to_json_by_header, b"a,b\nc,d\n", b"x,x");
}
