//! A network file system of a test's own: GlusterFS with three bricks, mounted by two nodes, in namespaces of its own.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::{is_root, run, wait_for};

/// How far the clock of the second node is ahead.
const AHEAD: &str = "+30s";

/// The volume. It ends with this value, and with the process that holds it, however that ends: nothing of it is outside
/// its namespaces.
pub struct SharedVolume {
    bed: Child,
    /// Closed, it ends the bed.
    lifeline: Option<ChildStdin>,
    /// The bed's process 1.
    pid: u32,
    /// What gives a program another clock.
    clock: String,
}

/// One of the two machines that mount the volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// Its clock is right.
    First,
    /// Its clock is half a minute ahead.
    Second,
}

impl Node {
    /// Both.
    pub const ALL: [Node; 2] = [Node::First, Node::Second];

    fn name(self) -> &'static str {
        match self {
            Node::First => "node1",
            Node::Second => "node2",
        }
    }
}

impl SharedVolume {
    /// Starts it, with its bricks in memory; `None`, with a message, where this machine cannot. CI must.
    pub fn start(test: &str) -> Option<Self> {
        Self::start_on(test, Path::new("/run/bed"))
    }

    /// The same with the bricks in a directory on a disk.
    pub fn start_on(test: &str, bricks: &Path) -> Option<Self> {
        if !is_root(test) {
            return None;
        }
        let script = include_str!("shared_volume.sh");
        let namespaces = ["--net", "--mount", "--pid", "--fork", "--kill-child"];
        let mut bed = Command::new("unshare")
            .args(namespaces)
            .args(["bash", "-c", script, "bed"])
            .arg(bricks)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (lifeline, mut said) = (bed.stdin.take(), String::new());
        BufReader::new(bed.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let mut words = said.split_whitespace().skip(1);
        if let (Some(pid), Some(clock)) = (words.next(), words.next()) {
            return Some(SharedVolume { bed, lifeline, pid: pid.parse().unwrap(), clock: clock.to_owned() });
        }
        let mut why = String::new();
        bed.stderr.take().unwrap().read_to_string(&mut why).unwrap();
        bed.wait().unwrap();
        let why = why.trim();
        assert!(std::env::var_os("CI").is_none(), "{test} must run in CI, with glusterfs-server: {why}");
        eprintln!("{test}: skipped, it needs GlusterFS, iproute2 and faketime ({why})");
        None
    }

    /// Where a node mounts it, also for who is outside.
    pub fn path(&self, node: Node) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root/run/bed/{}", self.pid, node.name()))
    }

    /// Gives a program a node's clock.
    pub fn on(&self, node: Node, mut command: Command) -> Command {
        if node == Node::Second {
            command.env("LD_PRELOAD", &self.clock).env("FAKETIME", AHEAD);
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        command
    }

    /// Kills one of the three bricks.
    pub fn kill_brick(&self, brick: usize) {
        self.inside(&format!("kill -KILL $(cat /run/gluster/vols/bed/*-{brick}.pid)"));
    }

    /// Starts the bricks again that were killed, and waits until they answer.
    pub fn start_bricks(&self) {
        self.inside("gluster --mode=script volume start bed force");
        wait_for("three bricks", || self.bricks_online().eq(&3).then_some(()));
    }

    /// Cuts a node off from all bricks.
    pub fn cut_off(&self, node: Node) {
        self.inside(&format!("ip link set {} down", node.name()));
    }

    /// Ends what [`cut_off`](Self::cut_off) did.
    pub fn join(&self, node: Node) {
        self.inside(&format!("ip link set {} up", node.name()));
    }

    /// Ends every outage, and waits until the bricks hold the same again.
    pub fn heal(&self) {
        Node::ALL.into_iter().for_each(|node| self.join(node));
        self.start_bricks();
        self.wait_until_healed();
        for node in Node::ALL {
            // Each finds the bricks again by itself, a while later.
            wait_for("a node's volume", || std::fs::write(self.path(node).join(node.name()), "well").ok());
        }
    }

    /// Waits until the bricks hold the same: until then, those that were away must not be all that is left.
    pub fn wait_until_healed(&self) {
        let heal =
            "gluster --mode=script volume heal bed > /dev/null; gluster --mode=script volume heal bed info";
        wait_for("three bricks that hold the same", || {
            let info = self.inside(heal);
            let left: Vec<_> =
                info.lines().filter_map(|line| line.strip_prefix("Number of entries: ")).collect();
            (left == ["0"; 3]).then_some(())
        });
    }

    fn bricks_online(&self) -> usize {
        let status = self.inside("gluster --mode=script volume status bed");
        // Columns are "TCP port, RDMA port, online, pid"; long names have a line of their own.
        let lines = status.lines().filter(|line| !line.contains("Self-heal"));
        lines.filter(|line| line.split_whitespace().rev().nth(1) == Some("Y")).count()
    }

    /// Runs a script where the bricks are.
    fn inside(&self, script: &str) -> String {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.pid.to_string()).args(["--mount", "--net", "--pid"]);
        let output = run(command.args(["bash", "-c", script]));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for SharedVolume {
    fn drop(&mut self) {
        self.lifeline.take();
        let _ = self.bed.wait();
    }
}
