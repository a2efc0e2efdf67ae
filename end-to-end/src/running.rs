//! A program that runs.

use std::fs;
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait_for;

/// A pipe that holds as much as it can: who writes to it waits until someone reads.
pub fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'x'; 4096]).is_ok() {}
    while writer.write(b"x").is_ok() {}
    fcntl_setfl(&writer, flags).unwrap();
    (reader, writer)
}

/// A program that runs; killed with the test.
pub struct Running {
    child: Child,
    out: Arc<Mutex<String>>,
    log: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Running {
    /// Starts a command whose outputs are piped.
    pub fn start(command: &mut Command) -> Self {
        Self::start_as_it_is(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    /// Starts a command whose outputs may go elsewhere.
    pub fn start_as_it_is(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (out, log) = (Arc::default(), Arc::default());
        let mut readers: Vec<_> = child.stdout.take().map(|pipe| collect(pipe, &out)).into_iter().collect();
        readers.extend(child.stderr.take().map(|pipe| collect(pipe, &log)));
        Running { child, out, log, readers }
    }

    /// The process id.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// What it has printed to standard output so far.
    pub fn out(&self) -> String {
        self.out.lock().unwrap().clone()
    }

    /// What it has printed to standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The most memory that it has had so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid().as_raw_nonzero())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
    }

    /// The address that its diagnostics name behind a text.
    pub fn address(&self, text: &str) -> SocketAddr {
        wait_for(&format!("{text:?} and an address in the log"), || {
            let log = self.log();
            let (_, rest) = log.split_once(&format!("{text} address="))?;
            rest.split_whitespace().next()?.parse().ok()
        })
    }

    /// Asks its admin port; returns the status and the body.
    pub fn ask(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address("admin port open")).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Waits until its `/readyz` answers with a status.
    pub fn wait_for_readiness(&self, status: u16) {
        wait_for(&format!("/readyz to answer {status}"), || (self.ask("/readyz").0 == status).then_some(()));
    }

    /// The value of a metric, with its labels.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let (_, metrics) = self.ask("/metrics");
        metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    /// Waits for the very moment from which it handles a signal itself, or for its end.
    pub fn wait_until_it_handles(&self, signal: Signal) {
        wait_for_at_once(|| {
            let status = fs::read_to_string(format!("/proc/{}/status", self.pid().as_raw_nonzero())).unwrap();
            let value = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
            let handled = u64::from_str_radix(value("SigCgt:"), 16).unwrap();
            (handled >> (signal.as_raw() - 1)) & 1 == 1 || value("State:").starts_with('Z')
        });
    }

    /// Waits until its diagnostics hold a text.
    pub fn wait_for_log(&self, text: &str) {
        wait_for(&format!("{text:?} in the log:\n{}", self.log()), || {
            self.log().contains(text).then_some(())
        });
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// How it ended, where it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let status = wait_for("a program's end", || self.child.try_wait().unwrap());
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        status
    }

    /// Sends it a signal, and waits for its end; returns the exit status, which is none where the signal ended it.
    pub fn end_by(mut self, signal: Signal) -> Option<i32> {
        self.signal(signal);
        self.wait().code()
    }

    /// Asks it to end, and waits for that.
    ///
    /// # Panics
    /// It does not end with status 0.
    pub fn stop(mut self) -> String {
        self.signal(Signal::TERM);
        let status = self.wait();
        assert!(status.success(), "{status}: {}", self.log());
        self.log()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again and again without a pause.
fn wait_for_at_once(mut done: impl FnMut() -> bool) {
    wait_for("something that comes at once", || (0..10_000).any(|_| done()).then_some(()));
}

fn collect(pipe: impl Read + Send + 'static, into: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            into.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}
