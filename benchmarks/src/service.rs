//! The api, its raw peer, and how requests are counted.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::measure::{Cores, Running, Usage, output, start, wait_for};
use crate::place::{Place, free_address, system};

/// A document as large as those of the listing are.
pub(crate) const DOCUMENT: &str = r#"{"mod":"-rw-r--r--","no":"1","user":"root","group":"root","usrno":"596853","date":"Jan  1 00:00","file":"/usr/share/doc/package-0/examples/of-something/directories/0/file-number-00000000-with-a-name.txt\"quoted\""}"#;

/// Connections that wrk keeps busy, as many as json-to-api has documents in flight.
const CONNECTIONS: u32 = 64;

/// A running api; killed when dropped, since it would answer on for seconds.
pub(crate) struct Api {
    running: Running,
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
}

impl Api {
    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// It does not.
    pub(crate) fn start(place: &Place, cores: Cores) -> anyhow::Result<Self> {
        Self::start_with(place, cores, None)
    }

    /// Starts it with a database, where one is given.
    ///
    /// # Errors
    /// It does not answer.
    pub(crate) fn start_with(place: &Place, cores: Cores, database: Option<&str>) -> anyhow::Result<Self> {
        let (address, admin) = (free_address()?, free_address()?);
        let mut command = place.program("api");
        command.arg("--listen").arg(address.to_string()).arg("--admin-listen").arg(admin.to_string());
        command.envs(database.map(|url| ("DATABASE_URL", url)));
        let mut running = start(cores, &mut command)?;
        wait_for("the api", || {
            ensure!(!running.is_over(), "the api has ended");
            Ok(is_ready(admin).then_some(()))
        })?;
        Ok(Self { running, address, admin })
    }

    /// Asks it to end, and waits for that.
    ///
    /// # Errors
    /// It fails.
    pub(crate) fn stop(self) -> anyhow::Result<Usage> {
        self.running.stop()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests it has counted.
    ///
    /// # Errors
    /// It does not say.
    pub(crate) fn requests(&self) -> anyhow::Result<u64> {
        let metrics = get(self.admin, "/metrics")?;
        let count = metrics.lines().find_map(|line| line.strip_prefix("api_requests_total "));
        count.and_then(|count| count.trim().parse().ok()).context("the api counts no requests")
    }

    /// Its whole reply to a document: head and body.
    ///
    /// # Errors
    /// It gives none.
    pub(crate) fn reply(&self) -> anyhow::Result<Vec<u8>> {
        let mut stream = connect(self.address)?;
        let length = DOCUMENT.len();
        write!(stream, "POST / HTTP/1.1\r\nHost: api\r\nContent-Length: {length}\r\n\r\n{DOCUMENT}")?;
        let mut reply = vec![0; 4096];
        let read = stream.read(&mut reply).context("the api gave no reply")?;
        reply.truncate(read);
        Ok(reply)
    }
}

/// Starts the raw epoll server with the api's reply, and waits until it listens.
///
/// # Errors
/// It does not.
pub(crate) fn start_raw(place: &Place, cores: Cores, reply: &[u8]) -> anyhow::Result<(Running, SocketAddr)> {
    let address = free_address()?;
    let file = place.root().join("reply");
    std::fs::write(&file, reply).context("failed to write the reply")?;
    let mut command = place.peer("epoll")?;
    let running = start(cores, command.arg(address.to_string()).arg(&file))?;
    wait_for("the raw server", || Ok(TcpStream::connect(address).ok()))?;
    Ok((running, address))
}

/// A client and the requests it is to send.
pub(crate) struct Load {
    /// With the document in it.
    document: PathBuf,
    duration: Duration,
    keyless: bool,
}

impl Load {
    /// # Errors
    /// The document cannot be written.
    pub(crate) fn new(place: &Place, duration: Duration) -> anyhow::Result<Self> {
        let document = place.root().join("document.json");
        std::fs::write(&document, DOCUMENT).context("failed to write the document")?;
        Ok(Self { document, duration, keyless: false })
    }

    /// The same without keys: each document is another.
    pub(crate) fn keyless(self) -> Self {
        Self { keyless: true, ..self }
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.duration.as_secs_f64()
    }

    /// Lets wrk send over HTTP/1.1; returns how many requests a second were answered.
    ///
    /// # Errors
    /// wrk fails, or not all answers were good ones.
    pub(crate) fn wrk(&self, cores: Cores, url: &str) -> anyhow::Result<f64> {
        let mut command = system("wrk");
        command
            .envs(self.keyless.then_some(("KEYLESS", "true")))
            .env("DOCUMENT", &self.document)
            .arg("-t1")
            .arg(format!("-c{CONNECTIONS}"))
            .arg(format!("-d{}s", self.duration.as_secs()))
            .arg("-s")
            .arg(crate::place::own_file("peers/post.lua"))
            .arg(url);
        let said = output(cores, command)?;
        ensure!(!said.contains("Non-2xx") && !said.contains("Socket errors"), "wrk had bad answers:\n{said}");
        after(&said, "Requests/sec:").with_context(|| format!("wrk gave no figure:\n{said}"))
    }
}

/// The number behind a word.
fn after(text: &str, word: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(word))?.trim().parse().ok()
}

/// Whether a program's admin port says so.
pub(crate) fn is_ready(admin: SocketAddr) -> bool {
    get(admin, "/readyz").is_ok_and(|reply| reply.starts_with("HTTP/1.1 200"))
}

fn get(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n")?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    Ok(reply)
}

fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("failed to connect to {address}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(stream)
}
