use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Instant;

use end_to_end::wait_for;
use rustix::process::Signal;
use serde_json::Value;

use super::{Database, get, post};
use crate::program::{PROMISED, Program, connect};

/// A client that reads server-sent events.
struct Client(BufReader<TcpStream>);

impl Client {
    /// One whose stream has begun.
    fn start(program: &Program, headers: &str) -> Self {
        let mut stream = connect(program.address).unwrap();
        write!(stream, "GET /documents/stream HTTP/1.1\r\n{headers}\r\n").unwrap();
        let mut client = Self(BufReader::new(stream));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(client.0.read_line(&mut head).unwrap(), 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        client
    }

    /// The id and the data of the next event; none at the end.
    fn next(&mut self) -> Option<(i64, Value)> {
        let (mut id, mut line) = (0, String::new());
        loop {
            line.clear();
            if self.0.read_line(&mut line).unwrap_or(0) == 0 {
                return None;
            }
            // Comments keep the connection alive, sizes are the chunks'.
            if let Some(value) = line.strip_prefix("id: ") {
                id = value.trim().parse().unwrap();
            } else if let Some(data) = line.strip_prefix("data: ") {
                return Some((id, serde_json::from_str(data).unwrap()));
            }
        }
    }
}

fn store(program: &Program, numbers: std::ops::Range<u64>) {
    for n in numbers {
        assert_eq!(post(program, &format!("k-{n}"), &format!(r#"{{"n":{n}}}"#)).status, 200);
    }
}

#[test]
fn a_stream_gives_what_is_stored_from_now_on_and_goes_on_behind_the_last_event() {
    for database in Database::each("streams") {
        let program = database.api();
        store(&program, 0..3);
        let mut client = Client::start(&program, "");
        store(&program, 3..6);
        let mut last = 0;
        for n in 3..6 {
            let (id, stored) = client.next().unwrap();
            assert_eq!((&stored["document"]["n"], &stored["id"]), (&n.into(), &id.into()));
            last = id;
        }
        drop(client);
        store(&program, 6..9);
        let mut client = Client::start(&program, &format!("last-event-id: {last}\r\n"));
        for n in 6..9 {
            assert_eq!(client.next().unwrap().1["document"]["n"], n);
        }
        let refused = super::ask(program.address, "GET /documents/stream HTTP/1.1\r\nlast-event-id: x", "");
        assert_eq!(refused.status, 400);
    }
}

#[test]
fn a_stream_leaves_out_nothing_that_several_replicas_store_at_once() {
    const EACH: u64 = 200;
    for database in Database::each("streams over replicas") {
        let replicas = match &database {
            Database::Postgres(_) => vec![database.api(), database.api(), database.api()],
            Database::Sqlite(_) => vec![database.api()],
        };
        let mut client = Client::start(&replicas[0], "");
        std::thread::scope(|scope| {
            for (replica, first) in replicas.iter().zip((0..).step_by(EACH as usize)) {
                for quarter in 0..4 {
                    let start = first + quarter * EACH / 4;
                    scope.spawn(move || store(replica, start..start + EACH / 4));
                }
            }
            let all = EACH * replicas.len() as u64;
            let (mut seen, mut last) = (vec![false; all as usize], 0);
            for _ in 0..all {
                let (id, stored) = client.next().unwrap();
                let n = stored["document"]["n"].as_u64().unwrap() as usize;
                assert!(id > last && !seen[n], "{n} came twice, or {id} behind {last}");
                (seen[n], last) = (true, id);
            }
        });
    }
}

#[test]
fn streams_are_few_and_end_with_the_program() {
    let database = Database::Sqlite(tempfile::tempdir().unwrap());
    let mut program = database.api();
    let mut clients: Vec<_> = (0..8).map(|_| Client::start(&program, "")).collect();
    let refused = get(&program, "/documents/stream");
    assert_eq!(refused.status, 503);
    assert!(refused.head.contains("retry-after: 1"), "{refused:?}");
    // A place is free again once its client is gone.
    clients.pop();
    wait_for("the place", || (stream_status(&program) == 200).then_some(()));
    let asked = Instant::now();
    program.signal(Signal::TERM);
    for mut client in clients {
        assert_eq!(client.next(), None);
    }
    assert_eq!(program.exit().code(), Some(0));
    assert!(asked.elapsed() < PROMISED);
}

fn stream_status(program: &Program) -> u16 {
    super::ask(program.address, "HEAD /documents/stream HTTP/1.1", "").status
}

#[test]
fn a_stream_outlasts_the_silence_that_ends_other_connections() {
    let database = Database::Sqlite(tempfile::tempdir().unwrap());
    let program = database.api();
    let mut client = Client::start(&program, "");
    // Where more than half of the connections are taken, one that asks nothing is closed after 2 seconds.
    let _crowd: Vec<_> = (0..1100).map(|_| connect(program.address).unwrap()).collect();
    let mut silent = connect(program.address).unwrap();
    let ended = std::io::Read::read(&mut silent, &mut [0]).unwrap_or(0);
    assert_eq!(ended, 0);
    store(&program, 0..1);
    assert_eq!(client.next().unwrap().1["document"]["n"], 0);
}
