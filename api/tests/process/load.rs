//! Crowds of clients that hold what they can, and one who only wants an answer.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::program::{Program, connect};

const CROWD: usize = 10_000;
const GROUPS: usize = 10;
const GET: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
const MIB: usize = 1 << 20;

/// Lets this process, and those that it starts, open as many files as the crowd needs. CI must.
fn may_hold_a_crowd() -> bool {
    let needed = Some(CROWD as u64 + 1000);
    let limit = getrlimit(Resource::Nofile);
    let suffices = |limit: Option<u64>| limit.is_none() || limit >= needed;
    let maximum = if suffices(limit.maximum) { limit.maximum } else { needed };
    let may =
        suffices(limit.current) || setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    assert!(may || std::env::var_os("CI").is_none(), "a crowd must be held in CI: raise `ulimit -n`");
    if !may {
        eprintln!("skipped: no right to open {CROWD} files here");
    }
    may
}

fn connect_all(program: &Program, count: usize) -> Vec<TcpStream> {
    (0..count).map(|_| connect(program.address).unwrap()).collect()
}

/// That one more client, which is in no crowd, is answered.
fn assert_answers(program: &Program) {
    let reply = program.ask().unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
}

/// Reads what stands at the start of a reply.
fn reads(client: &mut TcpStream, start: &str) {
    let mut reply = vec![0; start.len()];
    client.read_exact(&mut reply).unwrap();
    assert_eq!(String::from_utf8_lossy(&reply), start);
}

/// A client that has been answered, and keeps its connection.
fn one_who_asked(address: SocketAddr, length: usize) -> TcpStream {
    let mut client = connect(address).unwrap();
    client.write_all(GET).unwrap();
    let mut reply = vec![0; length];
    client.read_exact(&mut reply).unwrap();
    assert!(reply.starts_with(b"HTTP/1.1 200 OK\r\n") && reply.ends_with(b"\"}"));
    client
}

/// The length of a reply on a connection that is kept.
fn reply_length(program: &Program) -> usize {
    let mut client = connect(program.address).unwrap();
    client.write_all(GET).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    client.read_to_end(&mut Vec::new()).unwrap()
}

fn assert_small(program: &Program, limit: usize) {
    let peak = program.peak_memory();
    eprintln!("{} MiB at most", peak / MIB);
    assert!(peak < limit, "{} MiB", peak / MIB);
}

#[test]
fn ten_thousand_idle_connections_keep_nobody_from_an_answer() {
    if !may_hold_a_crowd() {
        return;
    }
    let program = Program::start();
    let (address, length) = (program.address, reply_length(&program));
    // Side by side: who came first must not get tired of waiting for the last.
    let group = || (0..CROWD / GROUPS).map(|_| one_who_asked(address, length)).collect::<Vec<_>>();
    let crowd: Vec<TcpStream> = thread::scope(|scope| {
        let groups: Vec<_> = (0..GROUPS).map(|_| scope.spawn(group)).collect();
        groups.into_iter().flat_map(|group| group.join().unwrap()).collect()
    });
    for _ in 0..100 {
        assert_answers(&program);
    }
    assert!(program.open_files() > CROWD, "they are no longer connected");
    drop(crowd);
    assert_answers(&program);
    assert_small(&program, 256 * MIB);
}

#[test]
fn who_sends_byte_by_byte_keeps_nobody_from_an_answer() {
    let program = Program::start();
    let mut heads = connect_all(&program, 500);
    let mut bodies = connect_all(&program, 500);
    for client in &mut bodies {
        client.write_all(b"POST / HTTP/1.1\r\ncontent-length: 1000\r\n\r\n").unwrap();
    }
    for byte in GET[..GET.len() - 1].chunks(1) {
        for client in heads.iter_mut().chain(&mut bodies) {
            // Fails where the program has lost its patience, as it may.
            let _ = client.write_all(byte);
        }
        assert_answers(&program);
    }
    assert_small(&program, 64 * MIB);
}

#[test]
fn bodies_beyond_the_limit_are_refused_and_not_held() {
    let program = Program::start();
    let mut announced = connect_all(&program, 200);
    for client in &mut announced {
        client.write_all(b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n").unwrap();
        client.write_all(&[b'x'; 64 << 10]).unwrap();
    }
    assert_answers(&program);
    let chunk = [format!("{MIB:x}\r\n").as_bytes(), &vec![b'x'; MIB], b"\r\n"].concat();
    let mut chunked = connect_all(&program, 100);
    for client in &mut chunked {
        client.write_all(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
        client.write_all(&chunk.repeat(3)).unwrap();
    }
    assert_answers(&program);
    for client in announced.iter_mut().chain(&mut chunked) {
        reads(client, "HTTP/1.1 413 Payload Too Large\r\n");
    }
    assert_small(&program, 64 * MIB);
}

#[test]
fn half_closed_sockets_keep_nobody_from_an_answer() {
    let program = Program::start();
    let mut asked = Vec::new();
    for sent in [&b""[..], b"GET / HT", b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\nhalf", GET] {
        let mut clients = connect_all(&program, 500);
        for client in &mut clients {
            client.write_all(sent).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        }
        assert_answers(&program);
        asked.push(clients);
    }
    for client in &mut asked[3] {
        reads(client, "HTTP/1.1 200 OK\r\n");
    }
    // Closed with a reply unread: the system resets the connection.
    drop(asked);
    assert_answers(&program);
    assert_small(&program, 64 * MIB);
}
