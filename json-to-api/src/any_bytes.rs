//! What holds for any bytes that others wrote: for the fuzz targets of the same names, and for the properties below.
//!
//! The parsers are nobody's business outside this crate, so the targets come in: this module is built for them and for
//! tests only.

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::document::{LineSet, Place};
use crate::journal::{self, Record};
use crate::print;
use crate::reader::{self, Reader};

/// Each line is a document, blank, or refused for a reason that others see too.
pub fn documents(input: &[u8]) {
    let line = |place: Place| &input[place.offset as usize..][..place.length as usize];
    let mut reader = Reader::new(input, LineSet::new());
    let mut seen = LineSet::new();
    let mut see = |line: u64| {
        assert!(!seen.contains(&line));
        seen.insert(line..=line);
    };
    let mut records = 0;
    while !reader.has_ended() {
        let chunk = reader.next_chunk().expect("a slice can be read");
        chunk.blank.iter().cloned().flatten().for_each(&mut see);
        for document in &chunk.documents {
            see(document.place.line);
            assert_eq!(document.body, reader::without_carriage_return(line(document.place)));
            assert!(serde_json::from_slice::<IgnoredAny>(&document.body).is_ok());
        }
        for refusal in &chunk.refused {
            see(refusal.place.line);
            let is_long = refusal.reason == reader::TOO_LONG;
            assert!(is_long || serde_json::from_slice::<Value>(line(refusal.place)).is_err());
        }
        records += (chunk.documents.len() + chunk.refused.len()) as u64;
        assert_eq!(reader.records(), records);
    }
    assert_eq!(seen, (reader.last_line() > 0).then(|| 1..=reader.last_line()).into_iter().collect());
}

/// A journal, as it stands and with right checksums, says the same when it is written again.
pub fn journal(input: &[u8]) {
    let mut sealed = Vec::new();
    for line in input.split(|byte| *byte == b'\n') {
        sealed.extend_from_slice(line);
        sealed.extend_from_slice(format!(" {:08x}\n", crc32fast::hash(line)).as_bytes());
    }
    for journal in [input, &sealed] {
        for record in journal::records(journal) {
            match record.expect("a slice can be read") {
                Record::Refused(refusal) => {
                    let mut again = Vec::new();
                    journal::encode_refusal(&refusal, &mut again);
                    let read: Vec<_> = journal::records(&again[..]).flatten().collect();
                    assert_eq!(read, [Record::Refused(refusal)]);
                }
                Record::Answered(ranges) => answered(ranges),
            }
        }
    }
}

fn answered(ranges: Vec<std::ops::RangeInclusive<u64>>) {
    let lines: LineSet = ranges.into_iter().collect();
    let mut again = Vec::new();
    journal::encode_answered(&lines, &mut again);
    let mut read = LineSet::new();
    for record in journal::records(&again[..]).flatten() {
        let Record::Answered(ranges) = record else { panic!("{record:?}") };
        read.extend(ranges);
    }
    assert_eq!(read, lines);
}

/// Whatever is printed is one line that steers no terminal.
pub fn printed(input: &[u8]) {
    let mut printed = Vec::new();
    print::one_line(input, &mut printed);
    let printed = String::from_utf8(printed).expect("what is not UTF-8 is replaced");
    assert!(!printed.contains(char::is_control));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Checks every file of a fuzz target's corpus.
    fn corpus(target: &str, check: fn(&[u8])) {
        let directory = format!("{}/../fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
        for file in std::fs::read_dir(directory).unwrap() {
            check(&std::fs::read(file.unwrap().path()).unwrap());
        }
    }

    #[test]
    fn the_corpora_of_the_fuzz_targets_hold() {
        corpus("documents", documents);
        corpus("journal", journal);
    }

    fn lines(line: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<u8>> {
        let line = prop_oneof![9 => line.prop_map(String::into_bytes), 1 => any::<Vec<u8>>()];
        prop::collection::vec(line, 0..40).prop_map(|lines| lines.join(&b'\n'))
    }

    proptest! {
        #[test]
        fn any_lines_are_documents_or_blank_or_refused(
            input in lines("\u{feff}?[\\[{]?(\"[ -~é\\\\]{0,5}\"|[:,]|-?[0-9.eE]{0,4}|null|tru|[ \t\r\0]){0,6}[}\\]]?\r?"),
        ) {
            documents(&input);
        }

        #[test]
        fn any_journal_is_read_as_far_as_it_is_sound(input in lines("[PRX]? ?[-0-9, ]{0,30}[\\\\an\0é]{0,3}")) {
            journal(&input);
        }

        #[test]
        fn whatever_is_printed_is_one_line(text in lines("[ -~é\x1b\u{9b}\r]{0,20}")) {
            printed(&text);
        }
    }
}
