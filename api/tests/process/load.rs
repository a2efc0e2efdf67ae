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

/// What the manifest gives the api.
const MANIFEST: usize = 384 * MIB;

/// Lets this process, and those that it starts, open as many files as the crowd needs. CI must.
fn may_hold(crowd: usize) -> bool {
    let needed = Some(crowd as u64 + 1000);
    let limit = getrlimit(Resource::Nofile);
    let suffices = |limit: Option<u64>| limit.is_none() || limit >= needed;
    let maximum = if suffices(limit.maximum) { limit.maximum } else { needed };
    let may =
        suffices(limit.current) || setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    assert!(may || std::env::var_os("CI").is_none(), "a crowd must be held in CI: raise `ulimit -n`");
    if !may {
        eprintln!("skipped: no right to open {crowd} files here");
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
#[ignore = "large: `just nightly`"]
fn ten_thousand_idle_connections_keep_nobody_from_an_answer() {
    if !may_hold(CROWD) {
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
    let open = program.open_files();
    assert!((1_000..2_100).contains(&open), "{open} open files");
    drop(crowd);
    assert_answers(&program);
    assert_small(&program, MANIFEST / 2);
}

/// Has `connections` clients open HTTP/2 `streams` each, with 15 kB of headers and no body.
fn hold_streams(program: &Program, connections: usize, streams: u32) -> Vec<TcpStream> {
    let asking =
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", &*post_frames(streams), &PING].concat();
    let mut clients = connect_all(program, connections);
    for client in &mut clients {
        // Fails where the program has seen enough.
        let _ = client.write_all(&asking);
    }
    // The pings' answers say that all before them was looked at.
    clients.iter_mut().for_each(wait_for_pong);
    clients
}

const PING: [u8; 17] = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

/// HEADERS frames that begin POSTs.
fn post_frames(count: u32) -> Vec<u8> {
    // `:method: POST`, `:scheme: http`, `:path: /`, and `x: xxx…`, which is to be remembered nowhere.
    let mut block =
        vec![0x83, 0x86, 0x84, 0x00, 1, b'x', 0x7f, 0x80 | (14_873 % 128) as u8, (14_873 / 128) as u8];
    block.resize(block.len() + 15_000, b'x');
    let length = u32::try_from(block.len()).unwrap().to_be_bytes();
    let frame = |number: u32| {
        const HEADERS: u8 = 1;
        const END_HEADERS: u8 = 4;
        [&length[1..], &[HEADERS, END_HEADERS], &(2 * number + 1).to_be_bytes(), &block].concat()
    };
    (0..count).flat_map(frame).collect()
}

/// Reads frames up to a ping's answer, or the end.
fn wait_for_pong(client: &mut TcpStream) {
    let mut head = [0; 9];
    while client.read_exact(&mut head).is_ok() {
        let length = u64::from(u32::from_be_bytes([0, head[0], head[1], head[2]]));
        let _ = std::io::copy(&mut client.take(length), &mut std::io::sink());
        if head[3..5] == [6, 1] {
            return;
        }
    }
}

/// Has `connections` clients send 60 kB of a head that does not end, as far as they are let.
fn hold_heads(program: &Program, connections: usize) -> Vec<TcpStream> {
    let head = [b"GET / HTTP/1.1\r\nx: ", &*vec![b'x'; 60_000]].concat();
    let mut clients = connect_all(program, connections);
    for client in &mut clients {
        let _ = client.write_all(&head);
    }
    clients
}

#[test]
fn who_opens_streams_and_withholds_their_bodies_holds_little() {
    let program = Program::start();
    let before = program.anonymous_memory();
    let _crowd = hold_streams(&program, 12, 250);
    assert_answers(&program);
    // With their headers 1,200 would be 18 MiB.
    let held = program.anonymous_memory() - before;
    eprintln!("{} KiB held", held >> 10);
    assert!(held < 12 * MIB, "{held} bytes");
}

#[test]
fn who_begins_a_head_and_never_ends_it_holds_little() {
    let program = Program::start();
    let before = program.anonymous_memory();
    let _crowd = hold_heads(&program, 500);
    assert_answers(&program);
    // With 60 kB each they would be 29 MiB.
    let held = program.anonymous_memory() - before;
    eprintln!("{} KiB held", held >> 10);
    assert!(held < 24 * MIB, "{held} bytes");
}

#[test]
#[ignore = "large: `just nightly`"]
fn what_hostile_crowds_hold_fits_the_manifest() {
    if !may_hold(CROWD) {
        return;
    }
    // In the last case, as many connections and requests as there may be.
    for (connections, streams, heads) in
        [(48, 250, 0), (120, 250, 0), (0, 0, 5_000), (120, 250, 5_000), (2_000, 5, 0)]
    {
        let program = Program::start();
        let _streams = hold_streams(&program, connections, streams);
        let _heads = hold_heads(&program, heads);
        assert_answers(&program);
        eprint!("{connections} connections with {streams} streams, {heads} heads: ");
        assert_small(&program, MANIFEST / 8 * 7);
    }
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
