//! With a database: what is stored, read and refused, and what becomes of it when something fails.

mod answers;
mod load;
mod outages;
mod reads;
mod refusals;
mod setup;
mod streams;

use std::net::SocketAddr;
use std::process::Command;

use end_to_end::Postgres;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{BINARY, Program, exchange};

/// A database of a test's own.
pub(crate) enum Database {
    Postgres(Postgres),
    Sqlite(TempDir),
}

impl Database {
    /// One of each kind; only SQLite where the machine has no other.
    fn each(test: &str) -> Vec<Self> {
        let postgres = Postgres::start(test).map(Self::Postgres);
        postgres.into_iter().chain([Self::Sqlite(tempfile::tempdir().unwrap())]).collect()
    }

    fn url(&self) -> String {
        match self {
            Self::Postgres(postgres) => postgres.url(),
            Self::Sqlite(directory) => format!("sqlite://{}/documents.db", directory.path().display()),
        }
    }

    /// An api that stores there, and is ready.
    fn api(&self) -> Program {
        let program = start(&self.url());
        program.wait_for_readiness("200");
        program
    }
}

/// An api with a database that may be away.
fn start(url: &str) -> Program {
    Program::start_by(Command::new(BINARY).args(["--database-url", url]))
}

/// What a request is answered.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn of(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no reply: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Sends a request on a connection of its own; an error where it is cut off.
fn try_ask(address: SocketAddr, head: &str, body: &str) -> Option<Reply> {
    let length = body.len();
    let request = format!("{head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    exchange(address, &request).ok().filter(|reply| reply.contains("\r\n\r\n")).map(|reply| Reply::of(&reply))
}

fn ask(address: SocketAddr, head: &str, body: &str) -> Reply {
    try_ask(address, head, body).expect("a reply")
}

fn get(program: &Program, target: &str) -> Reply {
    ask(program.address, &format!("GET {target} HTTP/1.1"), "")
}

/// POSTs a document under a key.
fn post(program: &Program, key: &str, document: &str) -> Reply {
    ask(program.address, &keyed(key), document)
}

fn keyed(key: &str) -> String {
    format!("POST / HTTP/1.1\r\nidempotency-key: \"{key}\"")
}

fn count(program: &Program) -> u64 {
    get(program, "/documents/count").json()["count"].as_u64().unwrap()
}
