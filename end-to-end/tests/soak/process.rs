//! A replica of a program, with its diagnostics in a file that outlives it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use end_to_end::wait_for;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// What a full or read-only disk says.
const UNFIT: [&str; 2] = ["No space left on device", "Read-only file system"];

/// A replica; it may have been started several times.
pub(crate) struct Process {
    pub(crate) program: &'static str,
    command: Command,
    child: Child,
    log: PathBuf,
    /// How long its diagnostics were when it was last started.
    said_before: usize,
}

impl Process {
    /// Starts a command that writes its diagnostics to the end of a file.
    pub(crate) fn start(program: &'static str, mut command: Command, log: PathBuf) -> Self {
        let child = spawn(&mut command, &log);
        Process { program, command, child, log, said_before: 0 }
    }

    /// Starts it again after its end.
    pub(crate) fn start_again(&mut self) {
        self.said_before = self.log().len();
        self.child = spawn(&mut self.command, &self.log);
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How it ended, where it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Stops it, and waits until it stands still; false: it has ended.
    pub(crate) fn freeze(&mut self) -> bool {
        self.signal(Signal::STOP);
        wait_for("a program's standstill", || {
            let stopped = waitid(WaitId::Pid(self.pid()), WaitIdOptions::STOPPED | WaitIdOptions::NOHANG);
            if matches!(stopped, Ok(Some(_))) { Some(true) } else { self.ended().map(|_| false) }
        })
    }

    /// Asks it to end once it has started, and waits for that.
    ///
    /// # Panics
    /// It ends with another status than 0, and not for want of a disk.
    pub(crate) fn stop(&mut self) {
        wait_for("a program's start", || {
            let started =
                self.log().get(self.said_before..).is_some_and(|log| log.contains("admin port open"));
            (started || self.ended().is_some()).then_some(())
        });
        if self.ended().is_none() {
            self.signal(Signal::TERM);
        }
        let status = wait_for("a program's end", || self.ended());
        let is_well = status.success() || self.blames_the_disk();
        assert!(is_well, "{} ended with {status}: {}", self.program, self.last_words());
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    /// Whether what it said last is that the disk is full or read-only.
    pub(crate) fn blames_the_disk(&self) -> bool {
        UNFIT.iter().any(|text| self.last_words().contains(text))
    }

    pub(crate) fn last_words(&self) -> String {
        self.log().lines().last().unwrap_or_default().to_owned()
    }

    /// The files that it has open whose path ends like this.
    pub(crate) fn open_files(&self, end: &str) -> Vec<PathBuf> {
        let directory = format!("/proc/{}/fd", self.pid().as_raw_nonzero());
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let targets = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
        targets.filter(|path| path.ends_with(end)).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(command: &mut Command, log: &Path) -> Child {
    let log = File::options().append(true).create(true).open(log).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}
