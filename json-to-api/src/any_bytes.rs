//! What holds for any bytes that others wrote: for the fuzz targets of the same names, and for the properties below.
//!
//! The parsers are nobody's business outside this crate, so the targets come in: this module is built for them and for
//! tests only.

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::http1::Connection;
use crate::journal::{self, Record};
use crate::ledger::Place;
use crate::print;
use crate::ranges::Ranges;
use crate::reply::Body;
use crate::source::{self, Source};

/// Each line is a document, blank, or refused for a reason that others see too.
pub fn documents(input: &[u8]) {
    let line = |place: Place| &input[place.offset as usize..][..place.length as usize];
    let mut source = Source::new(input, Ranges::default());
    let mut seen = Ranges::default();
    let mut records = 0;
    loop {
        let chunk = source.next_chunk().expect("a slice can be read");
        seen.insert_all(&chunk.blank);
        for document in &chunk.documents {
            assert!(seen.insert(document.place.line));
            let sent = document.body.as_deref().expect("it was just read");
            assert_eq!(sent, source::without_carriage_return(line(document.place)));
            assert!(serde_json::from_slice::<IgnoredAny>(sent).is_ok());
        }
        for refusal in &chunk.refused {
            assert!(seen.insert(refusal.place.line));
            assert!(
                serde_json::from_slice::<Value>(line(refusal.place)).is_err()
                    || refusal.reason == source::TOO_LONG
            );
        }
        assert_eq!(chunk.records, (chunk.documents.len() + chunk.refused.len()) as u64);
        records += chunk.records;
        if chunk.is_last {
            assert!(seen.is_all(chunk.last_line) && records <= chunk.last_line);
            return;
        }
    }
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
    let (mut lines, mut read) = (Ranges::default(), Ranges::default());
    ranges.into_iter().for_each(|range| lines.insert_range(range));
    let mut again = Vec::new();
    journal::encode_answered(&lines, &mut again);
    for record in journal::records(&again[..]).flatten() {
        let Record::Answered(ranges) = record else { panic!("{record:?}") };
        ranges.into_iter().for_each(|range| read.insert_range(range));
    }
    assert_eq!(read, lines);
}

/// A reply is kept in bounded memory and printed on one line, and none is taken for the answer to what was not asked yet.
pub fn reply(input: &[u8]) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().build().expect("it needs nothing of the system");
    runtime.block_on(async {
        let (near, far) = duplex(input.len() + 4096);
        let expires = Instant::now() + Duration::from_secs(3600);
        let mut connection = Connection::new(Box::new(near), expires);
        let mut body = Body::default();
        let (document, head) = (Bytes::from_static(b"{}"), |head: &mut Vec<u8>| head.extend(b"POST"));
        let (reply, _far) = tokio::join!(connection.exchange(head, &document, &mut body), answer(far, input));
        check_body(body.bytes());
        if reply.is_ok() && poll_fn(|context| Poll::Ready(connection.is_usable(context))).await {
            let again = connection.exchange(head, &document, &mut body).await;
            assert!(again.is_err(), "it was answered before it was asked");
        }
    });
}

/// Waits for a request, and sends all there is before it says that no more will come.
async fn answer(mut far: DuplexStream, input: &[u8]) -> DuplexStream {
    let _ = far.read_u8().await;
    // Fails where the connection is given up in the middle.
    let _ = far.write_all(input).await;
    let _ = far.shutdown().await;
    far
}

fn check_body(body: &[u8]) {
    assert!(body.len() < 2 * (64 << 10));
    let mut printed = Vec::new();
    print::one_line(body, &mut printed);
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
        corpus("reply", reply);
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
        fn any_reply_is_one_line_to_one_question(
            status in "(HTTP/1\\.[01] )?[0-9]{0,4} ?[ -~\x1b]{0,8}",
            headers in prop::collection::vec("(content-length: [0-9]{1,3}|transfer-encoding: chunked|connection: (close|keep-alive)|retry-after: [ -~]{0,9}|[ -~]{0,9})", 0..3),
            body in lines("([0-9a-f]{1,2}|[ -~é\x1b]{0,20})\r?"),
        ) {
            let head = format!("{status}\r\n{}\r\n\r\n", headers.join("\r\n"));
            reply(&[head.as_bytes(), &body].concat());
        }
    }
}
