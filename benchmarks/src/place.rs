//! Where everything happens: the directory below `target/`, the programs, and the ports.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use tempfile::TempDir;

/// What every group is given.
pub(crate) struct Place {
    pub(crate) rounds: usize,
    /// Everything is so many times smaller: for those who work on the benchmarks themselves.
    smaller: u64,
    /// Where our programs are.
    programs: PathBuf,
    /// Where files are put; gone at the end.
    root: TempDir,
}

impl Place {
    /// Files go below `target/`: on the disk of the checkout, whatever `/tmp` is.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub(crate) fn new(rounds: usize, smaller: u64, programs: Option<PathBuf>) -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("failed to find this program")?;
        let beside = || own.parent().map(Path::to_owned).context("this program lies in no directory");
        let programs = programs.map_or_else(beside, Ok)?;
        let target = checkout().join("target");
        let root = tempfile::Builder::new().prefix("benchmarks.run-").tempdir_in(&target);
        let root = root.with_context(|| format!("failed to make a directory in `{}`", target.display()))?;
        Ok(Self { rounds, smaller, programs, root })
    }

    /// A count of lines, documents or files, as small as was asked for.
    pub(crate) fn scaled(&self, count: u64) -> u64 {
        (count / self.smaller).max(10)
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// A new directory, gone when dropped.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn directory(&self) -> anyhow::Result<TempDir> {
        tempfile::tempdir_in(self.root()).context("failed to make a directory")
    }

    /// The command of one of our programs, without settings from this process's environment.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// The command of a stage that drains a data directory.
    pub(crate) fn stage_once(&self, name: &str, data: &Path) -> Command {
        let mut command = self.program(name);
        command.arg("--once").arg("--data-dir").arg(data);
        command
    }

    /// The command of one of the peers in this very program.
    ///
    /// # Errors
    /// This program has no path.
    pub(crate) fn peer(&self, name: &str) -> anyhow::Result<Command> {
        let own = std::env::current_exe().context("failed to find this program")?;
        let mut command = Command::new(own);
        command.args(["peer", name]).stdin(Stdio::null());
        Ok(command)
    }
}

/// The command of a program that the system has, silent.
pub(crate) fn system(name: &str) -> Command {
    let mut command = Command::new(name);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// The checkout that this program was built from.
pub(crate) fn checkout() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// A file of this package.
pub(crate) fn own_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A loopback address whose port nobody has.
///
/// # Errors
/// The system has none.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("failed to find a free port")?;
    listener.local_addr().context("failed to find a free port")
}
