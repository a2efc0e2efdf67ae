//! One document's way, from its file's landing to its POST's answer, beside the syncs that the protocol does on it.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tempfile::tempdir_in;

use crate::chain::Stages;
use crate::goals;
use crate::input::entries;
use crate::peers::{SYNCS, Syncs};
use crate::place::Place;
use crate::report::{Row, Section};
use crate::samples::{Samples, Unit};

/// Documents a round: one alone says little.
const DOCUMENTS: usize = 40;

const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

pub(crate) fn run(place: &Place) -> anyhow::Result<Section> {
    let mut syncs = Syncs::new(place.directory()?);
    let (ways, floors) = by_turns(place, place.root(), &[], &mut || syncs.run())?;
    let row = Row::ratio("one document", &ways, format!("{SYNCS} syncs"), &floors);
    Ok(Section {
        title: "One document",
        about: format!(
            "From `listing.txt` with one line having its name in the directory to the answer of its POST: three stages that \
             wait, and a server in the measuring process that answers at once, over HTTP/1.1. By turns with {SYNCS} syncs \
             of files and directories on the same volume, in the order in which the protocol does them before the answer \
             ([ARCHITECTURE.md](../ARCHITECTURE.md)). {} times each.",
            place.rounds * DOCUMENTS
        ),
        rows: vec![row.goal(goals::ONE_DOCUMENT)],
        commands: &[(
            "chain",
            "text-to-csv, csv-to-json, json-to-api --api-url URL, each with --data-dir DIRECTORY",
        )],
    })
}

/// The ways of documents on a volume, by turns with a floor under them.
///
/// # Errors
/// A stage does not start, no document comes, or those of `floor`.
pub(crate) fn by_turns(
    place: &Place,
    volume: &Path,
    settings: &[&str],
    floor: &mut dyn FnMut() -> anyhow::Result<Duration>,
) -> anyhow::Result<(Samples, Samples)> {
    let (server, answered) = Server::start()?;
    let mut stages = Stages::start(place, volume, &format!("http://{server}"), settings)?;
    let (mut ways, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..place.rounds * DOCUMENTS {
        ways.push(one(volume, &stages, &answered)?);
        // The stages are still deleting what the document left: wait, or the floor is held up.
        thread::sleep(Duration::from_millis(20));
        floors.push(floor()?);
    }
    stages.stop()?;
    let milliseconds = |times: Vec<Duration>| {
        Samples::new(Unit::Milliseconds, times.iter().map(|time| time.as_secs_f64() * 1e3))
    };
    Ok((milliseconds(ways), milliseconds(floors)))
}

#[expect(clippy::disallowed_methods, reason = "so a file is dropped that is there at once")]
fn one(volume: &Path, stages: &Stages, answered: &Receiver<Instant>) -> anyhow::Result<Duration> {
    let beside = tempdir_in(volume).context("failed to make a directory")?;
    let (file, mut line) = (beside.path().join("one"), Vec::new());
    entries(1, |entry| Ok(entry.write_line(&mut line)?))?;
    fs::write(&file, line).context("failed to write a line")?;
    ensure!(answered.try_recv().is_err(), "a document came twice");
    let started = Instant::now();
    fs::rename(&file, stages.directory.path().join("listing.txt")).context("failed to drop the file")?;
    let answer = answered.recv_timeout(Duration::from_secs(30)).context("no document came")?;
    Ok(answer - started)
}

/// Answers every request, and tells when.
struct Server;

impl Server {
    fn start() -> anyhow::Result<(SocketAddr, Receiver<Instant>)> {
        let listener = TcpListener::bind("127.0.0.1:0").context("failed to listen")?;
        let address = listener.local_addr().context("failed to listen")?;
        let (tell, told) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let tell = tell.clone();
                thread::spawn(move || Server::answer(stream, &tell));
            }
        });
        Ok((address, told))
    }

    /// Small requests come in one piece; what ends in a brace has its body.
    fn answer(mut stream: TcpStream, tell: &Sender<Instant>) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let (mut buffer, mut request) = ([0; 4096], Vec::new());
        loop {
            let read = stream.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            request.extend_from_slice(&buffer[..read]);
            if request.trim_ascii_end().ends_with(b"}") {
                stream.write_all(REPLY)?;
                request.clear();
                if tell.send(Instant::now()).is_err() {
                    return Ok(());
                }
            }
        }
    }
}
