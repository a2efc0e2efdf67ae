use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use end_to_end::wait_for;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_api");

/// Longer than anything here takes, unless it hangs.
pub(crate) const AGES: Duration = Duration::from_secs(30);

/// Within which a program that was asked to stop is gone.
pub(crate) const PROMISED: Duration = Duration::from_secs(10);

/// What the program logs when it is up.
const UP: &str = "listening";

/// Loopback addresses whose ports the system chooses, and a log that machines read.
const ARGUMENTS: [&str; 6] =
    ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-format", "json"];

/// A running api; killed when dropped.
pub(crate) struct Program {
    child: Child,
    /// The process to send signals to; not the child's where that is a wrapper.
    pub(crate) id: Pid,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    log: Mutex<Receiver<Value>>,
}

impl Program {
    pub(crate) fn start() -> Self {
        Self::start_by(&mut Command::new(BINARY))
    }

    /// Starts it with a `command` that ends in the binary.
    pub(crate) fn start_by(command: &mut Command) -> Self {
        Self::start_read_to(command, None)
    }

    /// Starts it with a standard error that is closed as soon as the program is up.
    pub(crate) fn start_unheard() -> Self {
        Self::start_read_to(&mut Command::new(BINARY), Some(UP))
    }

    fn start_read_to(command: &mut Command, last: Option<&'static str>) -> Self {
        let command = without_settings(command.args(ARGUMENTS));
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Mutex::new(read_log(child.stderr.take().unwrap(), last));
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut program = Self { id: Pid::from_child(&child), child, address: nowhere, admin: nowhere, log };
        program.admin = program.logged_address("admin port open");
        program.address = program.logged_address(UP);
        program
    }

    fn logged_address(&self, message: &str) -> SocketAddr {
        let line = self.logged(message);
        line["address"].as_str().unwrap().parse().unwrap()
    }

    /// Waits for a line of the log that begins with `message`.
    pub(crate) fn logged(&self, message: &str) -> Value {
        loop {
            let line = self.log.lock().unwrap().recv_timeout(AGES).expect(message);
            if says(&line, message) {
                return line;
            }
        }
    }

    /// What it has logged besides, once it has ended.
    pub(crate) fn rest_of_the_log(&self) -> Vec<Value> {
        self.log.lock().unwrap().iter().collect()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.id, signal).unwrap();
    }

    /// The most memory that it has had so far, in bytes.
    pub(crate) fn peak_memory(&self) -> usize {
        self.memory("VmHWM:")
    }

    /// What it has now that is not of files: not its own code, which comes as it is used.
    pub(crate) fn anonymous_memory(&self) -> usize {
        self.memory("RssAnon:")
    }

    fn memory(&self, kind: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id.as_raw_pid())).unwrap();
        let size = status.lines().find_map(|line| line.strip_prefix(kind)).unwrap();
        size.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() << 10
    }

    /// How many files and connections it has open.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id.as_raw_pid())).unwrap().count()
    }

    /// Waits for its end.
    pub(crate) fn exit(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < AGES, "it does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The admin port's status for `path`.
    pub(crate) fn probe(&self, path: &str) -> String {
        let reply =
            exchange(self.admin, &format!("GET {path} HTTP/1.1\r\nconnection: close\r\n\r\n")).unwrap();
        reply.split(' ').nth(1).unwrap_or_default().to_owned()
    }

    pub(crate) fn wait_until_unready(&self) {
        self.wait_for_readiness("503");
    }

    pub(crate) fn wait_for_readiness(&self, status: &str) {
        wait_for("its readiness", || (self.probe("/readyz") == status).then_some(()));
    }

    /// The value of a metric, with its labels.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let reply = exchange(self.admin, "GET /metrics HTTP/1.1\r\nconnection: close\r\n\r\n").unwrap();
        reply.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    /// Asks the api as a new client.
    pub(crate) fn ask(&self) -> io::Result<String> {
        exchange(self.address, "GET / HTTP/1.1\r\nconnection: close\r\n\r\n")
    }

    /// A client whose POST of 10 bytes the program has begun to read.
    pub(crate) fn in_flight(&self) -> TcpStream {
        let mut client = connect(self.address).unwrap();
        client.write_all(b"POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 10\r\n\r\n").unwrap();
        let expected = b"HTTP/1.1 100 Continue\r\n\r\n";
        let mut reply = vec![0; expected.len()];
        client.read_exact(&mut reply).unwrap();
        assert_eq!(reply, expected);
        client
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Gone already where the test went well.
        if let Ok(None) = self.child.try_wait() {
            let _ = kill_process(self.id, Signal::KILL);
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Reads a log, and closes it after the line that says `last`.
fn read_log(log: ChildStderr, last: Option<&'static str>) -> Receiver<Value> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            // What is not JSON is a wrapper's.
            let line = serde_json::from_str(&line).unwrap_or_else(|_| Value::from(line));
            let is_last = last.is_some_and(|last| says(&line, last));
            if sender.send(line).is_err() || is_last {
                break;
            }
        }
    });
    receiver
}

fn says(line: &Value, message: &str) -> bool {
    let text = line["message"].as_str();
    text.is_some_and(|text| text.starts_with(message))
}

/// Runs the binary to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    without_settings(Command::new(BINARY).args(arguments)).output().unwrap()
}

/// Whoever runs the tests may have such variables set.
fn without_settings(command: &mut Command) -> &mut Command {
    for name in ["LISTEN", "DATABASE_URL", "ADMIN_LISTEN", "CHECK_HEALTH", "RUST_LOG", "LOG_FORMAT"] {
        command.env_remove(name);
    }
    command
}

pub(crate) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let client = TcpStream::connect(address)?;
    client.set_read_timeout(Some(AGES))?;
    Ok(client)
}

/// Sends `request` on a connection of its own and reads until the other side closes it.
pub(crate) fn exchange(address: SocketAddr, request: &str) -> io::Result<String> {
    let mut client = connect(address)?;
    client.write_all(request.as_bytes())?;
    let mut reply = String::new();
    client.read_to_string(&mut reply)?;
    Ok(reply)
}
