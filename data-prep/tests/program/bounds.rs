//! Answers without end, larger than they may be, slow ones, and such as are packed.

use std::io::Write as _;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::server::{Server, answer, hang, head, send};
use crate::{Place, assert_fails, assert_fetches_iris, iris, run};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_body_announced_too_large_is_refused_before_it_comes() {
    let place = Place::new();
    let server = Server::start(|_, _, stream| {
        head(stream, "200 OK", &[], 2 << 30);
        hang(stream);
    });
    let expected = "it is larger than 1.0 GiB (--max-bytes)";
    assert_fails(&place, &mut place.data_prep(&server.url("/huge")), expected);
}

#[test]
fn a_body_without_end_is_given_up_at_the_limit() {
    let place = Place::new();
    let server = Server::start(|_, _, stream| {
        send(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        while stream.write_all(b"5.1,3.5,1.4,0.2,Iris-setosa\n").is_ok() {}
    });
    let mut command = place.data_prep(&server.url("/endless"));
    assert_fails(&place, command.args(["--max-bytes", "100kB"]), "it is larger than");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn exactly_as_much_as_may_be_is_taken() {
    let (place, server) = (Place::new(), Server::with(iris()));
    assert_fetches_iris(&place, place.data_prep(&server.url("/")).args(["--max-bytes", "4551"]));
    let place = Place::new();
    let mut command = place.data_prep(&server.url("/"));
    assert_fails(&place, command.args(["--max-bytes", "4550"]), "(--max-bytes)");
}

#[test]
fn what_is_packed_is_unpacked_whatever_the_headers_say() {
    let headers: [&[&str]; 3] = [&["Content-Encoding: gzip"], &["Content-Type: application/gzip"], &[]];
    for headers in headers {
        let place = Place::new();
        let server = Server::start(move |_, _, stream| answer(stream, "200 OK", headers, &gzip(&iris())));
        assert_fetches_iris(&place, &mut place.data_prep(&server.url("/iris.data.gz")));
        assert_eq!(server.requests()[0].header("accept-encoding"), Some("gzip"));
    }
}

#[test]
fn a_packed_download_goes_on_where_it_was_cut_off() {
    let (place, packed) = (Place::new(), gzip(&iris()));
    let server = Server::start(move |_, request, stream| {
        let (first, total) = (request.first_byte(), packed.len());
        let range = format!("Content-Range: bytes {first}-{}/{total}", total - 1);
        let status = if first == 0 { "200 OK" } else { "206 Partial Content" };
        head(stream, status, &["ETag: \"v1-gzip\"", "Content-Encoding: gzip", &range], total - first);
        send(stream, &packed[first..if first == 0 { 100 } else { total }]);
    });
    assert_fetches_iris(&place, &mut place.data_prep(&server.url("/iris.data")));
    assert_eq!(server.requests()[1].first_byte(), 100);
}

#[test]
fn a_bomb_publishes_nothing() {
    let bomb = gzip(&b"1,2,3,4,5\n".repeat(5 << 20));
    let (place, server) = (Place::new(), Server::with(bomb));
    let mut command = place.data_prep(&server.url("/bomb.gz"));
    let expected = "it is larger than 1.0 MiB (--max-bytes) once it is unpacked";
    assert_fails(&place, command.args(["--max-bytes", "1MiB"]), expected);
}

#[test]
fn a_packed_file_that_is_not_whole_publishes_nothing() {
    let packed = gzip(&iris());
    let (place, server) = (Place::new(), Server::with(&packed[..packed.len() - 9]));
    assert_fails(&place, &mut place.data_prep(&server.url("/iris.gz")), "failed to read what was downloaded");
}

#[test]
fn a_slow_answer_is_waited_for() {
    let place = Place::new();
    let server = Server::start(|_, _, stream| {
        let data = iris();
        head(stream, "200 OK", &[], data.len());
        for piece in data.chunks(50) {
            send(stream, piece);
            // Slowness is what is tested here; nothing is won by it.
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    });
    assert_fetches_iris(&place, &mut place.data_prep(&server.url("/iris.data")));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_server_that_falls_silent_is_asked_again_and_in_the_end_given_up() {
    for sent in [0, 1] {
        let place = Place::new();
        let server = Server::start(move |_, _, stream| {
            if sent > 0 {
                head(stream, "200 OK", &[], iris().len());
                send(stream, &iris()[..sent]);
            }
            hang(stream);
        });
        let mut command = place.data_prep(&server.url("/"));
        command.args(["--timeout", "50ms", "--attempts", "2"]);
        let log = assert_fails(&place, &mut command, "gave up after 2 attempts in vain");
        assert!(log.contains("timed out"), "{log}");
    }
}

#[test]
fn whatever_a_row_is_it_takes_little_memory() {
    const MEBIBYTES: usize = 64;
    let server = Server::start(|_, _, stream| {
        head(stream, "200 OK", &[], iris().len() + (MEBIBYTES << 20));
        send(stream, iris());
        (0..MEBIBYTES).for_each(|_| send(stream, vec![b'x'; 1 << 20]));
    });
    let place = Place::new();
    let unlimited = place.data_prep(&server.url("/"));
    let mut command = Command::new("sh");
    // In KiB.
    command.args(["-c", "ulimit -d 32768 && exec \"$0\" \"$@\""]).arg(unlimited.get_program());
    let (output, log) = run(command.args(unlimited.get_args()).env_clear());
    assert_eq!(output.status.code(), Some(0), "{log}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains(" 150 rows, 1 rejected, "), "{said}");
}
