//! Runs programs pinned to cores, and notes what they used.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use wait4::Wait4;

/// Which of the machine's first two cores a program may use.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cores {
    First,
    Second,
    Both,
}

/// What a program used, with all it started and waited for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// User and system.
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
    /// In bytes. What this process holds itself is a lower bound: it keeps small.
    pub(crate) peak: u64,
}

impl Usage {
    pub(crate) fn cpu_seconds(&self) -> f64 {
        self.cpu.as_secs_f64()
    }

    pub(crate) fn peak_mebibytes(&self) -> f64 {
        self.peak as f64 / f64::from(1 << 20)
    }
}

/// Runs commands to their ends, one after the other.
///
/// # Errors
/// One cannot be started, or fails.
pub(crate) fn run(cores: Cores, commands: &mut [Command]) -> anyhow::Result<Usage> {
    let mut sum = Usage::default();
    let started = Instant::now();
    for command in commands {
        let usage = start(cores, command)?.finish()?;
        sum.cpu += usage.cpu;
        sum.peak = sum.peak.max(usage.peak);
    }
    sum.wall = started.elapsed();
    Ok(sum)
}

/// Runs a command to its end; returns what it said on standard output.
///
/// # Errors
/// It cannot be started, or fails.
pub(crate) fn output(cores: Cores, mut command: Command) -> anyhow::Result<String> {
    let (mut said, into) = std::io::pipe().context("failed to make a pipe")?;
    command.stdout(into);
    let running = start(cores, &mut command)?;
    // Its end of the pipe is this process's too as long as the command lives.
    drop(command);
    let mut text = String::new();
    said.read_to_string(&mut text).context("failed to read what a peer says")?;
    running.finish().with_context(|| text.clone())?;
    Ok(text)
}

/// Starts a command on its cores.
///
/// # Errors
/// It cannot be started.
pub(crate) fn start(cores: Cores, command: &mut Command) -> anyhow::Result<Running> {
    // A child has the cores of the thread that starts it.
    let before = sched_getaffinity(None).context("failed to ask for this thread's cores")?;
    sched_setaffinity(None, &cores.set()).context("failed to pin this thread: two cores are needed")?;
    let started = Instant::now();
    let child = command.spawn();
    sched_setaffinity(None, &before).context("failed to unpin this thread")?;
    let what = format!("{command:?}");
    let child = child.with_context(|| format!("failed to start {what}"))?;
    Ok(Running { child: Some(child), started, what })
}

impl Cores {
    fn set(self) -> CpuSet {
        let mut set = CpuSet::new();
        let cores: &[usize] = match self {
            Cores::First => &[0],
            Cores::Second => &[1],
            Cores::Both => &[0, 1],
        };
        cores.iter().for_each(|core| set.set(*core));
        set
    }
}

/// A program that runs; killed when dropped.
pub(crate) struct Running {
    /// None once it has ended.
    child: Option<Child>,
    started: Instant,
    what: String,
}

impl Running {
    /// Waits for its end.
    ///
    /// # Errors
    /// It fails.
    pub(crate) fn finish(mut self) -> anyhow::Result<Usage> {
        let Some(mut child) = self.child.take() else { bail!("{} has ended before", self.what) };
        let used = child.wait4().with_context(|| format!("failed to wait for {}", self.what))?;
        let wall = self.started.elapsed();
        if !used.status.success() {
            bail!("{} failed: {}", self.what, used.status);
        }
        Ok(Usage { cpu: used.rusage.utime + used.rusage.stime, wall, peak: used.rusage.maxrss })
    }

    /// Asks it to end, and waits for that.
    ///
    /// # Errors
    /// It fails.
    pub(crate) fn stop(self) -> anyhow::Result<Usage> {
        let pid = self.child.as_ref().map(Pid::from_child);
        if let Some(pid) = pid {
            kill_process(pid, Signal::TERM).with_context(|| format!("failed to stop {}", self.what))?;
        }
        self.finish()
    }

    /// Whether it has ended by itself.
    pub(crate) fn is_over(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Both fail where it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Lets each contender run once a round, every round beginning with another one, so that none always meets the same
/// moment; returns the runs of each.
///
/// # Errors
/// Those of the contenders.
#[allow(clippy::needless_pass_by_value, reason = "who calls it writes them down in place")]
pub(crate) fn interleave<T, const N: usize>(
    rounds: usize,
    contenders: [&mut dyn FnMut() -> anyhow::Result<T>; N],
) -> anyhow::Result<[Vec<T>; N]> {
    let mut runs = [(); N].map(|()| Vec::new());
    for round in 0..rounds {
        for turn in 0..N {
            let contender = (round + turn) % N;
            runs[contender].push(contenders[contender]()?);
        }
    }
    Ok(runs)
}

/// Copies a file and waits until it is on the disk, so that nobody else pays for that.
///
/// # Errors
/// Names both paths.
pub(crate) fn fresh(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copied = || {
        fs::copy(from, to)?;
        fs::File::open(to)?.sync_all()
    };
    copied().with_context(|| format!("failed to copy `{}` to `{}`", from.display(), to.display()))
}

/// Asks again and again until `done` gives something.
///
/// # Errors
/// Those of `done`; and that it took too long.
pub(crate) fn wait_for<T>(
    what: &str,
    mut done: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(300) {
        if let Some(result) = done()? {
            return Ok(result);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    bail!("waited in vain for {what}")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn every_round_begins_with_another_contender() {
        let order = RefCell::new(String::new());
        let note = |name: char| {
            order.borrow_mut().push(name);
            Ok(name)
        };
        let [a, b, c] = interleave(3, [&mut || note('a'), &mut || note('b'), &mut || note('c')]).unwrap();
        assert_eq!((a, b, c), (vec!['a'; 3], vec!['b'; 3], vec!['c'; 3]));
        assert_eq!(order.into_inner(), "abcbcacab");
    }

    #[test]
    fn what_a_child_used_is_noted_and_its_failure_told() {
        let busy = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done";
        let usage = run(
            Cores::First,
            &mut [Command::new("sh"), Command::new("true")].map(|mut command| {
                command.args(["-c", busy]);
                command
            }),
        );
        let usage = usage.unwrap();
        assert!(usage.cpu > Duration::ZERO && usage.wall > Duration::ZERO && usage.peak > 100 << 10);
        assert!(run(Cores::First, &mut [Command::new("false")]).is_err());
    }
}
