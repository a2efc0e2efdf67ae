//! The real programs, as processes.

use std::fs;
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, Once};
use std::thread::JoinHandle;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::wait_for;

/// The path of one of the workspace's programs, built as the tests themselves are.
pub fn program(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    let directory = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().to_owned();
    // `cargo test` builds no program of a package without tests of its own. With all targets, the
    // dependencies are the very ones that the tests have.
    BUILT.call_once(|| {
        let mut build = Command::new(env!("CARGO"));
        build
            .args(["build", "--workspace", "--all-targets", "--quiet"])
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        // What cargo tells this test of its own package makes some build scripts run again, and then all behind them.
        for (name, _) in std::env::vars_os() {
            if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|own| name.to_string_lossy().starts_with(own)) {
                build.env_remove(name);
            }
        }
        if directory.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "the programs do not build");
    });
    directory.join(name)
}

/// A copy of a program where any user may run it, gone with the directory.
pub fn program_for_anyone(name: &str) -> (PathBuf, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = directory.path().join(name);
    // By another process: a child that this one starts meanwhile would inherit the open copy, and keep it busy.
    run(Command::new("cp").arg(program(name)).arg(&copy));
    (copy, directory)
}

/// A program's command without this test's own settings in its environment.
fn command(name: &str) -> Command {
    let mut command = Command::new(program(name));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The command of a stage or getdata on a data directory, looking often and settling soon.
pub fn stage(name: &str, data_dir: &Path, args: &[&str]) -> Command {
    let mut command = command(name);
    command.arg("--data-dir").arg(data_dir).args(args);
    if name != "getdata" {
        command.args(["--rescan-interval", "50ms"]);
        if !args.contains(&"--settle") {
            command.args(["--settle", "200ms"]);
        }
        if !args.contains(&"--once") && !args.contains(&"--admin-listen") {
            command.args(["--admin-listen", "127.0.0.1:0"]);
        }
    }
    command
}

/// The command of an api on free ports of loopback.
pub fn api() -> Command {
    let mut command = command("api");
    command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command
}

/// A stage's command as nobody runs it, who may not read where the programs are built: from a copy, gone with the directory.
pub fn as_nobody(stage: &Command) -> (Command, TempDir) {
    const NOBODY: u32 = 65534;
    let name = Path::new(stage.get_program()).file_name().unwrap().to_str().unwrap();
    let (program, directory) = program_for_anyone(name);
    let mut command = Command::new(program);
    command.args(stage.get_args()).env_clear().uid(NOBODY).gid(NOBODY);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    (command, directory)
}

/// Runs a command to its end; on success returns what it printed.
///
/// # Panics
/// It fails.
pub fn run(command: &mut Command) -> Output {
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

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

    /// Whether it has a handler of its own for a signal.
    pub fn handles(&self, signal: Signal) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid().as_raw_nonzero())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() >> (signal.as_raw() - 1) & 1 == 1
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
