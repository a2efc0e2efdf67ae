//! What holds for any input.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod any_bytes;

use std::fs;
use std::io::{self, Read};

use any_bytes::{NAMES, check, convert};
use proptest::prelude::*;
use proptest::string::string_regex;
use records::{Counts, Rejects};

/// Gives so many bytes at once, by turns.
struct Sips<'a>(&'a [u8], std::iter::Cycle<std::vec::IntoIter<usize>>);

impl Read for Sips<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.1.next().unwrap_or(1).min(buffer.len());
        self.0.read(&mut buffer[..most])
    }
}

/// What the csv crate writes of these fields.
fn written(records: &[[String; 7]], terminator: csv::Terminator) -> Vec<u8> {
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
    }

    #[test]
    fn so_do_any_bytes(bytes in any::<Vec<u8>>()) {
        check(&bytes);
    }

    #[test]
    fn reads_of_any_size_come_to_the_same(file in file(), sizes in prop::collection::vec(1..50_usize, 1..6)) {
        prop_assert_eq!(convert(Sips(&file, sizes.into_iter().cycle())), convert(&file[..]));
    }

    #[test]
    fn any_fields_that_others_write_become_what_serde_json_makes_of_them(
        records in prop::collection::vec(prop::array::uniform7(field()), 0..8),
        crlf in any::<bool>(),
    ) {
        // Of a byte order mark at its very start a file does not tell whose it is.
        prop_assume!(!records.first().is_some_and(|record| record[0].starts_with('\u{feff}')));
        let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut expected = String::new();
        for record in &records {
            let members = NAMES.iter().zip(record).map(|(name, field)| {
                format!("\"{name}\":{}", serde_json::to_string(field).unwrap())
            });
            expected += &format!("{{{}}}\n", members.collect::<Vec<_>>().join(","));
        }
        let outcome = convert(&written(&records, terminator)[..]);
        prop_assert_eq!(outcome.output, expected);
        prop_assert_eq!(outcome.counts, Counts { ok: records.len() as u64, rejected: 0 });
    }
}

#[test]
fn the_corpus_of_the_fuzz_target_holds() {
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/csv")).unwrap() {
        check(&fs::read(file.unwrap().path()).unwrap());
    }
}

#[test]
fn a_file_without_a_line_feed_is_rejected_in_bounded_memory() {
    /// Keeps the longest piece.
    struct Longest(usize);
    impl Rejects for Longest {
        fn start(&mut self, _: u64, _: &str) -> io::Result<()> {
            Ok(())
        }
        fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
            self.0 = self.0.max(bytes.len());
            Ok(())
        }
        fn end(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for byte in [b'x', b'"', b','] {
        let mut longest = Longest(0);
        let counts =
            csv_to_json::convert(&mut io::repeat(byte).take(100 << 20), &mut io::sink(), &mut longest)
                .unwrap();
        assert_eq!(counts, Counts { ok: 0, rejected: 1 });
        assert!(longest.0 <= 2 * records::MAX_LINE);
    }
}
