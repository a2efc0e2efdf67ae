//! Answers that are final, answers after which another attempt is made, and where an answer comes from.

use crate::server::{Server, answer, ok};
use crate::{Place, assert_fails, assert_fetches_iris, cleaned, iris, run};

#[test]
fn an_answer_that_is_final_fails_at_once_and_names_the_url_without_its_secrets() {
    for status in [
        "404 Not Found",
        "403 Forbidden",
        "410 Gone",
        "204 No Content",
        "304 Not Modified",
        "300 Multiple Choices",
    ] {
        let place = Place::new();
        let server = Server::start(move |_, _, stream| answer(stream, status, &[], b""));
        let url = server.url("/iris.data?key=secret").replace("http://", "http://user:secret@");
        let log = assert_fails(&place, &mut place.data_prep(&url), &format!("answered {status}"));
        assert!(log.contains(&format!("failed to fetch {}", server.url("/iris.data?…"))), "{log}");
        assert!(!log.contains("secret"), "{log}");
        assert_eq!(server.requests().len(), 1);
        assert_eq!(server.requests()[0].header("authorization"), Some("Basic dXNlcjpzZWNyZXQ="));
    }
}

#[test]
fn what_may_pass_is_tried_again() {
    let place = Place::new();
    let server = Server::start(|number, _, stream| match number {
        0 => answer(stream, "500 Internal Server Error", &[], b"oops"),
        1 => answer(stream, "503 Service Unavailable", &["Retry-After: 0"], b""),
        2 => answer(stream, "429 Too Many Requests", &[], b""),
        // It hangs up.
        3 => {}
        _ => ok(stream, &iris()),
    });
    let log = assert_fetches_iris(&place, &mut place.data_prep(&server.url("/iris.data")));
    assert_eq!(server.requests().len(), 5);
    for told in ["answered 500", "answered 503", "answered 429", "trying again"] {
        assert!(log.contains(told), "{told} in {log}");
    }
}

#[test]
fn attempts_in_vain_are_bounded_and_the_last_reason_is_told() {
    let place = Place::new();
    let server = Server::start(|_, _, stream| answer(stream, "502 Bad Gateway", &[], b""));
    let mut command = place.data_prep(&server.url("/"));
    let log = assert_fails(&place, command.args(["--attempts", "3"]), "gave up after 3 attempts in vain");
    assert!(log.contains("answered 502 Bad Gateway"), "{log}");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_server_that_is_not_there_is_tried_again_and_named() {
    let place = Place::new();
    // Nobody can listen at port 1 without being root; and nobody does.
    let mut command = place.data_prep("http://127.0.0.1:1/iris.data");
    let log = assert_fails(&place, command.args(["--attempts", "2"]), "gave up after 2 attempts in vain");
    assert!(log.contains("failed to fetch http://127.0.0.1:1/iris.data"), "{log}");
    assert!(log.contains("refused"), "{log}");
}

#[test]
fn redirects_are_followed_and_no_further_than_ten_in_a_row() {
    let redirect = |limit: usize| {
        Server::start(move |number, request, stream| {
            assert!(request.path.ends_with(&number.to_string()), "{}", request.path);
            match number < limit {
                true => {
                    let location = format!("Location: /{}", number + 1);
                    answer(stream, "302 Found", &[&location], b"elsewhere");
                }
                false => ok(stream, &iris()),
            }
        })
    };
    let (place, server) = (Place::new(), redirect(10));
    assert_fetches_iris(&place, &mut place.data_prep(&server.url("/0")));
    let (place, server) = (Place::new(), redirect(usize::MAX));
    assert_fails(&place, &mut place.data_prep(&server.url("/0")), "more than 10 redirects");
    assert_eq!(server.requests().len(), 11);
}

#[test]
fn a_redirect_to_another_scheme_is_not_followed() {
    let place = Place::new();
    let server =
        Server::start(|_, _, stream| answer(stream, "302 Found", &["Location: file:///etc/passwd"], b""));
    assert_fails(&place, &mut place.data_prep(&server.url("/")), "failed to fetch");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn the_hash_is_that_of_the_bytes_as_served_and_another_publishes_nothing() {
    // What `sha256sum data-prep/test_data/iris.data` shows.
    const SHA256: &str = "0fed2a99db77ec533a62dc66894d3ec6df3b58b6a8f3cf4a6b47e4086b7f97dc";
    let (place, server) = (Place::new(), Server::with(iris()));
    let mut command = place.data_prep(&server.url("/iris.data"));
    assert_fetches_iris(&place, command.args(["--sha256", &SHA256.to_uppercase()]));
    assert_eq!(server.requests()[0].header("accept-encoding"), Some("identity"), "else the bytes are others");

    let (place, server) = (Place::new(), Server::with(cleaned()));
    let mut command = place.data_prep(&server.url("/iris.data"));
    let log =
        assert_fails(&place, command.args(["--sha256", SHA256]), &format!("and not {SHA256} (--sha256)"));
    assert!(log.contains(&server.url("/iris.data")), "{log}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn an_encoding_that_is_not_read_is_named() {
    let place = Place::new();
    let server = Server::start(|_, _, stream| answer(stream, "200 OK", &["Content-Encoding: br"], b"x"));
    assert_fails(&place, &mut place.data_prep(&server.url("/")), "its Content-Encoding is \"br\"");
}

#[test]
fn an_error_page_with_a_good_status_publishes_nothing() {
    let (place, server) = (Place::new(), Server::with("<html>\nNot here\n</html>\n"));
    let expected =
        "it has no row of 5 columns, and 3 others, the first in line 1: expected 5 fields, found 1";
    assert_fails(&place, &mut place.data_prep(&server.url("/iris.data")), expected);
}

#[test]
fn what_a_url_cannot_be_is_told_and_the_status_is_1() {
    for url in ["iris.data", "ftp://user:secret@127.0.0.1/iris.data"] {
        let place = Place::new();
        let (output, log) = run(&mut place.data_prep(url));
        assert_eq!(output.status.code(), Some(1), "{log}");
        assert!(log.contains("--url") && !log.contains("secret"), "{log}");
        place.assert_untouched();
    }
}

#[test]
fn a_proxy_that_the_environment_names_is_asked() {
    let (place, proxy) = (Place::new(), Server::with(iris()));
    let mut command = place.data_prep("http://data.example/iris.data");
    assert_fetches_iris(&place, command.env("http_proxy", proxy.url("/")));
    assert_eq!(proxy.requests()[0].path, "http://data.example/iris.data");
}
