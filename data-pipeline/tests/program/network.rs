//! Sources over HTTP: good ones, slow, cut off, refused and endless ones.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::{Ended, Place};

const TABLE: &str = "id,n\n1,10\n2,20\n";

/// What a server answers on a path, the `attempt`th time from 0 on.
fn answer(path: &str, attempt: usize, mut stream: &TcpStream) -> std::io::Result<()> {
    let table = format!("Content-Length: {}", TABLE.len());
    let mut head = |status: &str, header: &str| {
        // Each connection is for one request: a client that is not told may send the next one into its end.
        write!(stream, "HTTP/1.1 {status}\r\n{header}\r\nConnection: close\r\n\r\n")
    };
    match (path, attempt) {
        // The client's time-out ends it.
        ("/silent.csv", _) => stream.read_to_end_of_peer(),
        ("/slow.csv", _) => {
            head("200 OK", &table)?;
            writeln!(stream, "id,n")?;
            stream.read_to_end_of_peer();
        }
        ("/cut.csv", 0 | 1) | ("/always-cut.csv", _) => {
            head("200 OK", &table)?;
            write!(stream, "id,n\n1,")?;
        }
        ("/busy.csv", 0) => head("503 Busy", "Content-Length: 0")?,
        ("/missing.csv", _) => head("404 Not Found", "Content-Length: 0")?,
        ("/page", _) => head("200 OK", "Content-Type: text/html\r\nContent-Length: 0")?,
        ("/huge.csv", _) => head("200 OK", "Content-Length: 99999999999999")?,
        ("/endless.csv", _) => {
            head("200 OK", "Content-Type: text/csv")?;
            while stream.write_all(TABLE.as_bytes()).is_ok() {}
        }
        ("/moved", _) => head("302 Found", "Location: /table.csv\r\nContent-Length: 0")?,
        ("/typed", _) => {
            head("200 OK", &format!("Content-Type: text/csv; charset=utf-8\r\n{table}"))?;
            write!(stream, "{TABLE}")?;
        }
        _ => {
            head("200 OK", &table)?;
            write!(stream, "{TABLE}")?;
        }
    }
    Ok(())
}

trait Peer {
    fn read_to_end_of_peer(self);
}

impl Peer for &TcpStream {
    /// Waits until the client lets go.
    fn read_to_end_of_peer(self) {
        let _ = std::io::copy(&mut &*self, &mut std::io::sink());
    }
}

/// Serves until the test's process ends; every request on a connection of its own.
fn server() -> (SocketAddr, Arc<Mutex<HashMap<String, usize>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let attempts = Arc::new(Mutex::new(HashMap::new()));
    let counted = Arc::clone(&attempts);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let counted = Arc::clone(&counted);
            thread::spawn(move || {
                let lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { return };
                let path = path.split('?').next().unwrap_or_default().to_owned();
                let attempt = {
                    let mut counted = counted.lock().unwrap();
                    let count = counted.entry(path.clone()).or_insert(0);
                    *count += 1;
                    *count - 1
                };
                let _ = answer(&path, attempt, &stream);
            });
        }
    });
    (address, attempts)
}

fn run(place: &Place, address: SocketAddr, path: &str) -> Ended {
    let source = format!("http://me:secret@{address}{path}");
    // Short only where it must run out: a busy machine may take its time for the others.
    let timeout = if ["/silent.csv", "/slow.csv"].contains(&path) { "300ms" } else { "5s" };
    let ended =
        place.run(&["--data-sources", &source, "--source-timeout", timeout, "--max-source-bytes", "1000000"]);
    assert!(!format!("{ended:?}").contains("secret"), "{ended:?}");
    ended
}

#[test]
fn sources_are_fetched_whatever_tells_their_format_and_tried_again_where_that_may_help() {
    let (address, attempts) = server();
    for (path, tries) in
        [("/table.csv?token=secret", 1), ("/typed", 1), ("/moved", 1), ("/busy.csv", 2), ("/cut.csv", 3)]
    {
        let place = Place::new();
        let ended = run(&place, address, path);
        assert_eq!(ended.status, Some(0), "{path}: {ended:?}");
        let report = place.report();
        assert_eq!(report.records.valid, 2, "{path}");
        let path = path.split('?').next().unwrap();
        assert_eq!(report.sources[0].location, format!("http://{address}{path}"));
        if path != "/table.csv" {
            assert_eq!(attempts.lock().unwrap()[path], tries, "{path}");
        }
        place.assert_clean();
    }
}

#[test]
fn sources_that_fail_are_named_with_the_cause_and_tried_again_only_where_that_may_help() {
    let (address, attempts) = server();
    for (path, tries, cause) in [
        ("/silent.csv", 4, "failed 4 times: no whole answer from 127.0.0.1: "),
        ("/slow.csv", 4, "failed 4 times: no whole answer from 127.0.0.1: "),
        ("/always-cut.csv", 4, "failed 4 times: no whole answer from 127.0.0.1: "),
        ("/missing.csv", 1, "the answer is 404 Not Found"),
        (
            "/page",
            1,
            "neither its address nor its content type tells whether it is CSV, JSON lines or Parquet (`text/html`)",
        ),
        ("/huge.csv", 1, "it has more than 1000000 bytes"),
        ("/endless.csv", 1, "it has more than 1000000 bytes"),
    ] {
        let place = Place::new();
        let ended = run(&place, address, path);
        assert_eq!(ended.status, Some(1), "{path}: {ended:?}");
        let expected = format!(
            "✗ Extraction failed: source 1 ({}): {cause}",
            path.trim_matches('/').trim_end_matches(".csv")
        );
        assert!(ended.stdout.contains(&expected), "{expected}: {ended:?}");
        assert_eq!(attempts.lock().unwrap()[path], tries, "{path}");
        place.assert_clean();
    }
}

#[test]
fn a_server_that_is_away_fails_the_stage() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let place = Place::new();
    let ended = run(&place, address, "/a.csv");
    assert_eq!(ended.status, Some(1));
    assert!(ended.stdout.contains("failed 4 times: no whole answer from 127.0.0.1: "), "{ended:?}");
    place.assert_clean();
}
