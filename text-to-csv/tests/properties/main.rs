//! What holds for any input.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod any_bytes;

use std::fs;
use std::io::{self, Read};

use any_bytes::{check, convert};
use proptest::prelude::*;
use records::{Counts, Rejects};

/// Gives so many bytes at once, by turns.
struct Sips<'a>(&'a [u8], std::iter::Cycle<std::vec::IntoIter<usize>>);

impl Read for Sips<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.1.next().unwrap_or(1).min(buffer.len());
        self.0.read(&mut buffer[..most])
    }
}

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
    fn any_path_without_a_line_feed_comes_out_as_it_went_in(paths in prop::collection::vec("[^\n\0]{1,60}", 1..8)) {
        let lines = paths.iter().map(|path| format!("-rw-r--r--    1 root     root   19 Mar 19 23:57 {path}\n"));
        let outcome = convert(format!("total 4\n{}", lines.collect::<String>()).as_bytes());
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&outcome.output[..]);
        let found: Vec<_> = reader.records().map(|record| record.unwrap()[6].to_owned()).collect();
        prop_assert_eq!(found, paths);
    }
}

#[test]
fn the_corpus_of_the_fuzz_target_holds() {
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/listing")).unwrap() {
        check(&fs::read(file.unwrap().path()).unwrap());
    }
}

#[test]
fn a_file_without_a_line_feed_is_rejected_in_bounded_memory() {
    const LENGTH: u64 = 300 << 20;
    /// Counts bytes, and keeps the longest piece.
    #[derive(Default)]
    struct Measured(u64, usize);
    impl Rejects for Measured {
        fn start(&mut self, _: u64, _: &str) -> io::Result<()> {
            Ok(())
        }
        fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
            self.0 += bytes.len() as u64;
            self.1 = self.1.max(bytes.len());
            Ok(())
        }
        fn end(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut measured = Measured::default();
    let counts =
        text_to_csv::convert(&mut io::repeat(b'x').take(LENGTH), &mut io::sink(), &mut measured).unwrap();
    assert_eq!(counts, Counts { ok: 0, rejected: 1 });
    assert_eq!(measured.0, LENGTH);
    assert!(measured.1 <= 2 * records::MAX_LINE, "it was held in a piece of {} bytes", measured.1);
}

#[test]
fn errors_of_reader_writer_and_rejects_come_back_as_they_were() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("on purpose"))
        }
    }
    impl io::Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("on purpose"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl Rejects for Fails {
        fn start(&mut self, _: u64, _: &str) -> io::Result<()> {
            Err(io::Error::other("on purpose"))
        }
        fn piece(&mut self, _: &[u8]) -> io::Result<()> {
            Ok(())
        }
        fn end(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let entry = b"-rw-r--r-- 1 root root 19 Mar 19 23:57 a\n".repeat(10_000);
    for error in [
        text_to_csv::convert(&mut Fails, &mut io::sink(), &mut ()),
        text_to_csv::convert(&mut &entry[..], &mut Fails, &mut ()),
        text_to_csv::convert(&mut &b"x"[..], &mut io::sink(), &mut Fails),
    ] {
        assert_eq!(error.unwrap_err().to_string(), "on purpose");
    }
}
