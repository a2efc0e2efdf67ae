//! Downloads that are cut off, and go on or begin anew.

use std::sync::Arc;

use crate::server::{Request, Server, answer, head, ok, send};
use crate::{Place, assert_fails, assert_fetches_iris, iris, run};

/// How many bytes come before the first cut.
const CUT: usize = 1_000;
const TAG: &str = "ETag: \"v1\"";

fn cut(stream: &mut std::net::TcpStream, headers: &[&str]) {
    let data = iris();
    head(stream, "200 OK", headers, data.len());
    send(stream, &data[..CUT]);
}

/// Answers with the part that was asked for, of which `bytes` come.
fn rest(stream: &mut std::net::TcpStream, request: &Request, bytes: usize) {
    let (data, first) = (iris(), request.first_byte());
    let range = format!("Content-Range: bytes {first}-{}/{}", data.len() - 1, data.len());
    head(stream, "206 Partial Content", &[TAG, &range], data.len() - first);
    send(stream, &data[first..data.len().min(first.saturating_add(bytes))]);
}

#[test]
fn a_download_goes_on_where_it_was_cut_off() {
    let place = Place::new();
    let server = Server::start(|number, request, stream| match number {
        0 => cut(stream, &[TAG]),
        1 => rest(stream, request, CUT),
        _ => rest(stream, request, usize::MAX),
    });
    assert_fetches_iris(&place, &mut place.data_prep(&server.url("/iris.data")));
    let asked: Vec<_> = server
        .requests()
        .iter()
        .map(|request| {
            (request.header("range").map(str::to_owned), request.header("if-range").map(str::to_owned))
        })
        .collect();
    let (range, tag) = (|first| Some(format!("bytes={first}-")), || Some("\"v1\"".to_owned()));
    assert_eq!(asked, [(None, None), (range(CUT), tag()), (range(2 * CUT), tag())]);
}

#[test]
fn a_part_of_the_rest_is_not_all_of_it() {
    let place = Place::new();
    let server = Server::start(|number, request, stream| {
        let (data, first) = (iris(), request.first_byte());
        if number == 0 {
            return cut(stream, &[TAG]);
        }
        let end = data.len().min(first + CUT);
        let range = format!("Content-Range: bytes {first}-{}/{}", end - 1, data.len());
        answer(stream, "206 Partial Content", &[TAG, &range], &data[first..end]);
    });
    assert_fetches_iris(&place, &mut place.data_prep(&server.url("/iris.data")));
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn a_server_that_knows_no_ranges_or_has_another_content_by_now_sends_it_from_the_start() {
    let place = Place::new();
    let server = Server::start(|number, _, stream| match number {
        0 => {
            head(stream, "200 OK", &["ETag: \"old\""], 10_000);
            send(stream, vec![b'x'; 5_000]);
        }
        _ => answer(stream, "200 OK", &[TAG], &iris()),
    });
    assert_fetches_iris(&place, &mut place.data_prep(&server.url("/iris.data")));
    assert_eq!(server.requests()[1].header("if-range"), Some("\"old\""));
}

#[test]
fn without_a_name_for_the_content_no_part_of_it_is_asked_for() {
    let headers: [&[&str]; 2] = [&[], &["ETag: W/\"v1\""]];
    for headers in headers {
        let place = Place::new();
        let server = Server::start(move |number, _, stream| match number {
            0 => cut(stream, headers),
            _ => ok(stream, &iris()),
        });
        assert_fetches_iris(&place, &mut place.data_prep(&server.url("/iris.data")));
        assert_eq!(server.requests()[1].header("range"), None);
    }
}

#[test]
fn an_answer_that_does_not_go_on_where_it_should_is_not_taken() {
    for wrong in ["Content-Range: bytes 7-4550/4551", "Content-Range: lines 1-2/3", "X: y"] {
        let place = Place::new();
        let server = Server::start(move |number, request, stream| match number {
            0 => cut(stream, &[TAG]),
            1 => answer(stream, "206 Partial Content", &[TAG, wrong], &iris()[7..]),
            2 => {
                assert_eq!(request.header("range"), None, "all is asked for anew");
                ok(stream, &iris());
            }
            _ => panic!("all has come"),
        });
        let log = assert_fetches_iris(&place, &mut place.data_prep(&server.url("/iris.data")));
        assert!(log.contains("it could not go on where it was cut off"), "{log}");
    }
}

#[test]
fn the_rest_of_another_content_is_not_taken() {
    let length = iris().len();
    let replaced = format!("Content-Range: bytes {CUT}-{}/{length}", length - 1);
    let grown = format!("Content-Range: bytes {CUT}-{length}/{}", length + 1);
    for headers in [["ETag: \"v2\"", &replaced], [TAG, &grown]].map(|headers| headers.map(str::to_owned)) {
        let place = Place::new();
        let server = Server::start(move |number, _, stream| match number {
            0 => cut(stream, &[TAG]),
            // Whatever `If-Range` says.
            1 => {
                answer(stream, "206 Partial Content", &headers.each_ref().map(String::as_str), &iris()[CUT..])
            }
            _ => ok(stream, &iris()),
        });
        let log = assert_fetches_iris(&place, &mut place.data_prep(&server.url("/iris.data")));
        assert!(log.contains("it could not go on where it was cut off"), "{log}");
    }
}

#[test]
fn a_part_that_does_not_say_how_much_there_is_is_measured_by_the_first_answer() {
    let place = Place::new();
    let server = Server::start(|number, request, stream| {
        let (data, first) = (iris(), request.first_byte());
        if number == 0 {
            return cut(stream, &[TAG]);
        }
        let end = data.len().min(first + CUT);
        let range = format!("Content-Range: bytes {first}-{}/*", end - 1);
        answer(stream, "206 Partial Content", &[TAG, &range], &data[first..end]);
    });
    assert_fetches_iris(&place, &mut place.data_prep(&server.url("/iris.data")));
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn what_begins_anew_again_and_again_is_given_up() {
    let place = Place::new();
    let server = Server::start(|_, request, stream| {
        if request.header("range").is_some() {
            return answer(stream, "416 Range Not Satisfiable", &["Content-Range: bytes */9999999"], b"");
        }
        head(stream, "200 OK", &[TAG], 9_999_999);
        send(stream, vec![b'x'; 2 << 20]);
    });
    let mut command = place.data_prep(&server.url("/iris.data"));
    let log = assert_fails(&place, command.args(["--attempts", "3"]), "gave up after 3 attempts in vain");
    assert_eq!(server.requests().len(), 3, "{log}");
}

#[test]
fn a_rest_that_cannot_be_had_is_given_up_for_the_whole() {
    let place = Place::new();
    let server = Server::start(|number, _, stream| match number {
        0 => cut(stream, &[TAG]),
        1 => answer(stream, "416 Range Not Satisfiable", &["Content-Range: bytes */4551"], b""),
        _ => ok(stream, &iris()),
    });
    assert_fetches_iris(&place, &mut place.data_prep(&server.url("/iris.data")));
}

#[test]
fn a_line_that_breaks_often_is_no_attempt_in_vain_while_much_comes() {
    // Each attempt brings a MiB and more; there are more of them than may be in vain.
    const PIECE: usize = (1 << 20) + 1;
    let rows: String = (0..10_000).map(|n| format!("{n},{:1000}\n", "x")).collect();
    let data = Arc::new(rows.into_bytes());
    let (place, served) = (Place::new(), Arc::clone(&data));
    let server = Server::start(move |_, request, stream| {
        let (first, total) = (request.first_byte(), served.len());
        let range = format!("Content-Range: bytes {first}-{}/{total}", total - 1);
        let status = if first == 0 { "200 OK" } else { "206 Partial Content" };
        head(stream, status, &[TAG, &range], total - first);
        send(stream, &served[first..total.min(first + PIECE)]);
    });
    let mut command = place.with_header(&server.url("/"));
    let (output, log) = run(command.args(["--attempts", "2", "--names", "number,text"]));
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert!(server.requests().len() > 8, "{}", server.requests().len());
}
