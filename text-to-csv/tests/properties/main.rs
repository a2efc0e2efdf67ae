//! What holds for any input.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod any_bytes;

use any_bytes::testing::{self, Outcome, Sips};
use any_bytes::{check, check_by_pattern};
use proptest::prelude::*;
use records::pattern;
use text_to_csv::convert;

/// Files of lines that are entries, or nearly, or nothing of the kind.
fn file() -> impl Strategy<Value = Vec<u8>> {
    let entry = "[-dlbc?][-rwxsStT]{9}[+. ]? {1,4}[0-9]{1,2} (root|a b|root    |1000) (root|x  y|8,) {1,3}[0-9]{1,4}(, 1)? \
                 (Mar 19 23:57|Jan  5  2024|19. M\u{e4}r 23:57|2024-03-19 23:57) [ -~\u{e9}\t\r\"]{0,40}";
    let line = prop_oneof![
        6 => entry.prop_map(String::into_bytes),
        1 => "(total [0-9]{1,3}|/[a-z]{1,3}:| {0,3}|ls: [a-z]{1,5})".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    let end = prop_oneof![Just("\n"), Just("\r\n")];
    let start =
        prop_oneof![8 => Just(&b""[..]), 1 => Just(&b"\xef\xbb\xbf"[..]), 1 => Just(&b"\xff\xfe"[..])];
    (start, prop::collection::vec(line, 0..12), end)
        .prop_map(|(start, lines, end)| [start, &lines.join(end.as_bytes())].concat())
}

proptest! {
    #[test]
    fn any_file_becomes_csv_and_what_was_rejected(file in file()) {
        check(&file);
        check_by_pattern(&file);
    }

    #[test]
    fn so_do_any_bytes(bytes in any::<Vec<u8>>()) {
        check(&bytes);
        check_by_pattern(&bytes);
    }

    #[test]
    fn reads_of_any_size_come_to_the_same(file in file(), sizes in prop::collection::vec(1..50_usize, 1..6)) {
        prop_assert_eq!(Outcome::of(convert, Sips::new(&file, sizes)), Outcome::of(convert, &file[..]));
    }

    #[test]
    fn any_path_without_a_line_feed_comes_out_as_it_went_in(paths in prop::collection::vec("[^\n\0]{1,60}", 1..8)) {
        let lines = paths.iter().map(|path| format!("-rw-r--r--    1 root     root   19 Mar 19 23:57 {path}\n"));
        let outcome = Outcome::of(convert, format!("total 4\n{}", lines.collect::<String>()).as_bytes());
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&outcome.output[..]);
        let found: Vec<_> = reader.records().map(|record| record.unwrap()[6].to_owned()).collect();
        prop_assert_eq!(found, paths);
    }
}

#[test]
fn the_corpus_of_the_fuzz_target_holds() {
    testing::assert_corpus("listing", check);
    testing::assert_corpus("pattern", check_by_pattern);
}

#[test]
fn a_file_without_a_line_feed_is_rejected_in_bounded_memory() {
    testing::assert_rejected_in_bounded_memory(convert, b'x', 300 << 20);
}

#[test]
fn errors_of_reader_writer_and_rejects_come_back_as_they_were() {
    let plain = b"-rw-r--r-- 1 root root 19 Mar 19 23:57 a\n";
    let quoted = b"-rw-r--r-- 1 root root 19 Mar 19 23:57 a,b\n";
    testing::assert_errors_come_back(convert, plain, b"x");
    testing::assert_errors_come_back(convert, quoted, b"x");
    let pattern = "^(?<a>a.)".parse().unwrap();
    testing::assert_errors_come_back(pattern::text_to_csv(pattern), b"a,\n", b"x");
}
