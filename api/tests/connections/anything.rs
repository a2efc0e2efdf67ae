use std::fs;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::any_bytes::{PREFACE, check};
use crate::server::{OK_BODY, PATIENT, Server};

#[tokio::test]
async fn the_corpus_of_the_fuzz_target_is_answered_or_refused() {
    let server = Server::with_limits(PATIENT).await;
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/request")).unwrap() {
        check(server.address, &fs::read(file.unwrap().path()).unwrap(), OK_BODY).await;
    }
    server.assert_serves().await;
}

/// Requests, or nearly, or nothing of the kind, one after the other.
fn requests() -> impl Strategy<Value = Vec<u8>> {
    let line = "(GET|POST|CONNECT|HEAD|[A-Z]{0,3}) [ -~]{0,9} HTTP/1\\.[0-2]";
    let header = "(content-length: ?-?[0-9]{1,3}|transfer-encoding: (chunked|gzip)|expect: 100-continue|\
                  connection: (close|upgrade|keep-alive)|upgrade: x|[ -~\r\n\0]{0,20})";
    let body = prop_oneof!["([0-9a-f]{1,3}\r\n)?[ -~]{0,20}(\r\n0\r\n\r\n)?", Just(String::new())];
    let head = (line, prop::collection::vec(header, 0..4));
    let request = (head, body).prop_map(|((line, headers), body)| {
        format!("{line}\r\n{}\r\n\r\n{body}", headers.join("\r\n")).into_bytes()
    });
    let piece = prop_oneof![8 => request, 1 => any::<Vec<u8>>()];
    prop::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat())
}

/// What makes a connection HTTP/2; then frames, or nearly, or nothing of the kind.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let header = prop_oneof![
        // :method POST, :path /, :scheme http, :method GET.
        prop::sample::select(vec![&b"\x83"[..], b"\x84", b"\x86", b"\x82", b"\x83\x84\x86", b"\xbe"])
            .prop_map(<[u8]>::to_vec),
        // A literal, indexed or not.
        ("[a-z-]{1,9}", "[ -~]{0,9}", prop::sample::select(vec![0x40, 0, 0x10])).prop_map(
            |(name, value, kind)| {
                let name = [&[kind, name.len() as u8], name.as_bytes()].concat();
                [&name, &[value.len() as u8][..], value.as_bytes()].concat()
            }
        ),
        prop::collection::vec(any::<u8>(), 0..9),
    ];
    let head = prop::collection::vec(header, 0..5).prop_map(|headers| headers.concat());
    let payload = prop_oneof![2 => head, 1 => prop::collection::vec(any::<u8>(), 0..40)];
    let kind = prop_oneof![4 => Just(1), 4 => Just(0), 4 => 2..10_u8, 1 => any::<u8>()];
    let flags = prop_oneof![Just(5_u8), Just(4), Just(1), Just(0), any::<u8>()];
    let frame = (kind, flags, 0..8_u8, payload).prop_map(|(kind, flags, stream, payload)| {
        let length = payload.len() as u8;
        [&[0, 0, length, kind, flags, 0, 0, 0, stream][..], &payload].concat()
    });
    let piece = prop_oneof![9 => frame, 1 => any::<Vec<u8>>()];
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    prop::collection::vec(piece, 0..8).prop_map(move |pieces| [PREFACE, &settings, &pieces.concat()].concat())
}

#[test]
fn any_bytes_at_all_are_answered_or_refused_and_harm_nobody() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(Server::with_limits(PATIENT));
    let source_file = Some(file!());
    TestRunner::new(Config { source_file, ..Config::default() })
        .run(&prop_oneof![requests(), frames()], |bytes| {
            runtime.block_on(check(server.address, &bytes, OK_BODY));
            Ok(())
        })
        .unwrap();
    runtime.block_on(server.assert_serves());
}
