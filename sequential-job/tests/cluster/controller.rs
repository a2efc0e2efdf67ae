//! The controller's program as a process.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::fake::Door;

/// How often a process is asked whether it has ended.
const ASK_EVERY: Duration = Duration::from_millis(2);

/// A controller that runs; killed with the test.
pub(crate) struct Controller {
    /// None: those that are deployed do the work.
    child: Option<Child>,
    log: PathBuf,
    /// Its port of the fake; none on a real one.
    door: Option<Arc<Door>>,
}

impl Controller {
    /// Starts it with these arguments, and with its diagnostics in `log`.
    pub(crate) fn start(arguments: &[&str], kubeconfig: &str, log: PathBuf, door: Option<Arc<Door>>) -> Self {
        let has_webhook = arguments.contains(&"--webhook-listen");
        let child = Command::new(env!("CARGO_BIN_EXE_sequential-job-controller"))
            .args(arguments)
            .args(["--admin-listen", "127.0.0.1:0"])
            .args(if has_webhook { [].as_slice() } else { &["--webhook-listen", "off"] })
            .env("KUBECONFIG", kubeconfig)
            .env("RUST_LOG", "info,sequential_job=debug")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::options().create(true).append(true).open(&log).unwrap())
            .spawn()
            .unwrap();
        let controller = Self { child: Some(child), log, door };
        if let Some(door) = &controller.door {
            door.comes(controller.pid());
        }
        controller
    }

    /// Where its webhook is, once it says so.
    pub(crate) async fn webhook(&self) -> SocketAddr {
        loop {
            let said = std::fs::read_to_string(&self.log).unwrap();
            let line = said.lines().find_map(|line| line.split_once("webhook open")).map(|(_, rest)| rest);
            if let Some((_, address)) = line.and_then(|rest| rest.split_once("address=")) {
                return address.split_whitespace().next().unwrap().parse().unwrap();
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Those that are deployed in a real cluster.
    pub(crate) fn deployed() -> Self {
        Self { child: None, log: PathBuf::new(), door: None }
    }

    fn child(&mut self) -> &mut Child {
        self.child.as_mut().expect("a scenario of the fake alone")
    }

    /// Its port of the fake.
    pub(crate) fn door(&self) -> &Door {
        self.door.as_ref().expect("a scenario of the fake alone")
    }

    /// The same, to be looked at when it has ended.
    pub(crate) fn shared_door(&self) -> Arc<Door> {
        Arc::clone(self.door.as_ref().expect("a scenario of the fake alone"))
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(self.child.as_ref().expect("a scenario of the fake alone"))
    }

    /// Kills it, and waits for that.
    pub(crate) async fn kill(mut self) {
        self.child().kill().unwrap();
        self.end().await;
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(mut self) -> ExitStatus {
        kill_process(self.pid(), Signal::TERM).unwrap();
        self.end().await
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child().try_wait().unwrap()
    }

    /// Waits until it has ended.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let Some(child) = &mut self.child else { return };
        // It may have ended.
        _ = child.kill();
        _ = child.wait();
        if std::thread::panicking() {
            eprintln!("{}", std::fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}
