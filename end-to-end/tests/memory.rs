//! What documents take, however large, and however many are in flight or wait for their next attempt.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::HashSet;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use end_to_end::{DataDir, Packing, Post, Running, stage, wait_for};

const DOCUMENTS: usize = 150;
/// Of a document, in bytes: hardly less than a line may have.
const SIZE: usize = 1_000_000;
/// What the bytes in flight are bounded by is 16 MiB; the manifest allows 256.
const MEMORY: u64 = 100 << 20;

/// The keys of those that came, each once.
type Keys = Arc<Mutex<HashSet<String>>>;

/// An API that refuses each document at first, so that all of them may wait for their next attempt, and keeps none.
fn busy_api() -> (String, Keys) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let [refused, taken] = [(); 2].map(|()| Keys::default());
    let shared = Arc::clone(&taken);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (refused, taken) = (Arc::clone(&refused), Arc::clone(&shared));
            thread::spawn(move || answer(&stream, &refused, &taken));
        }
    });
    (url, taken)
}

fn answer(mut stream: &TcpStream, refused: &Keys, taken: &Keys) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let Post { key, .. } = Post::read(&mut reader)?;
        // Slow, so that as many are in flight as may be.
        thread::sleep(Duration::from_millis(300));
        let status = if refused.lock().unwrap().insert(key.clone()) { 503 } else { 200 };
        if status == 200 {
            taken.lock().unwrap().insert(key);
        }
        stream.write_all(format!("HTTP/1.1 {status} x\r\ncontent-length: 2\r\n\r\n{{}}").as_bytes()).ok()?;
    }
}

#[test]
fn large_documents_in_flight_or_waiting_for_their_next_attempt_take_bounded_memory() {
    delivers_in_bounded_memory("listing.json", |document| document);
}

/// They cannot be read again, and so are kept.
#[test]
fn large_documents_of_a_compressed_file_take_bounded_memory_too() {
    delivers_in_bounded_memory("listing.json.zst", |document| Packing::Zstd.pack(&document));
}

fn delivers_in_bounded_memory(name: &str, pack: impl Fn(Vec<u8>) -> Vec<u8>) {
    let (url, taken) = busy_api();
    let data = DataDir::new();
    data.put_by(name, |file| {
        let document = |n| format!("{{\"n\":\"{n:04}{}\"}}\n", "x".repeat(SIZE));
        (0..DOCUMENTS).try_for_each(|n| file.write_all(&pack(document(n).into_bytes())))
    });
    // Nothing in such documents says anything.
    let args = ["--api-url", &url, "--log-docs", "false", "--concurrency", "1000", "--max-ratio", "1000000"];
    let running = Running::start(&mut stage("json-to-api", data.path(), &args));
    wait_for("all documents", || {
        (taken.lock().unwrap().len() == DOCUMENTS && data.in_hand().is_empty()).then_some(())
    });
    let peak = running.peak_memory();
    println!("{} MiB at most", peak >> 20);
    assert!(peak < MEMORY, "{} MiB at most", peak >> 20);
    running.stop();
}
