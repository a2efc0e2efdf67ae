//! A PostgreSQL of a test's own.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::{run, wait_for};

/// Who runs it where this process is root, which it refuses.
const NOBODY: u32 = 65534;

/// Of /proc a second, on every machine that Linux runs on here.
const TICKS: u32 = 100;

/// A server with a database `postgres` in a temporary directory, gone with it. It listens on a socket there only, so that
/// no two take each other's port.
pub struct Postgres {
    directory: TempDir,
    binaries: PathBuf,
    server: Option<Child>,
}

impl Postgres {
    /// Makes and starts one; none where the machine has no server. CI must.
    pub fn start(test: &str) -> Option<Self> {
        let Some(binaries) = binaries() else {
            assert!(std::env::var_os("CI").is_none(), "{test} must run in CI, with the package postgresql");
            eprintln!("{test}: skipped, it needs the package postgresql");
            return None;
        };
        let directory = tempfile::Builder::new().prefix("postgres-").tempdir().unwrap();
        if geteuid().is_root() {
            chown(directory.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let mut postgres = Self { directory, binaries, server: None };
        let data = postgres.data();
        let mut initdb = postgres.command("initdb");
        initdb.args([
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--pgdata",
        ]);
        run(initdb.arg(data));
        postgres.restart();
        Some(postgres)
    }

    /// Starts it again, and waits until it answers.
    pub fn restart(&mut self) {
        let mut server = self.command("postgres");
        server.arg("-D").arg(self.data()).arg("-k").arg(self.directory.path());
        server.args(["-c", "listen_addresses=", "-c", "max_connections=100", "-c", "shared_buffers=32MB"]);
        let log =
            fs::File::options().create(true).append(true).open(self.directory.path().join("log")).unwrap();
        self.server = Some(server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        wait_for("PostgreSQL to answer", || {
            self.psql("SELECT 1").output().unwrap().status.success().then_some(())
        });
    }

    /// Ends it as a crash does: nothing is written that is not, and no one is told.
    pub fn kill(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        kill_process(Pid::from_child(&server), Signal::QUIT).unwrap();
        server.wait().unwrap();
    }

    /// What an api is given as its `DATABASE_URL`.
    pub fn url(&self) -> String {
        format!("postgres://postgres@localhost/postgres?host={}", self.directory.path().display())
    }

    /// Runs SQL; returns what it gives, a line a row, its columns apart by tabs.
    ///
    /// # Panics
    /// It fails.
    pub fn query(&self, sql: &str) -> String {
        String::from_utf8(run(&mut self.psql(sql)).stdout).unwrap()
    }

    /// How many documents it has; 0 before there is a table.
    pub fn count(&self) -> u64 {
        let output = self.psql("SELECT count(*) FROM documents").output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap_or(0)
    }

    /// Whether nobody but who asks is connected.
    pub fn is_alone(&self) -> bool {
        self.query("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'").trim()
            == "1"
    }

    /// What all of its processes have used so far, those of clients that are gone included.
    pub fn cpu(&self) -> Duration {
        let server = self.server.as_ref().map_or(0, Child::id);
        let children =
            fs::read_to_string(format!("/proc/{server}/task/{server}/children")).unwrap_or_default();
        let own = ticks(&server.to_string()).iter().sum::<u64>();
        let of_children: u64 = children.split_whitespace().map(|id| ticks(id)[..2].iter().sum::<u64>()).sum();
        Duration::from_secs(own + of_children) / TICKS
    }

    /// Lets each insert of documents take so long, in seconds, before it begins.
    pub fn slow_down(&self, seconds: f64) {
        self.query(&format!(
            "CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM pg_sleep({seconds}); RETURN NULL; END $$;
             CREATE OR REPLACE TRIGGER slow AFTER INSERT ON documents
                 FOR EACH STATEMENT EXECUTE FUNCTION slow()"
        ));
    }

    /// The command of one of its programs, as who may run it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        command.current_dir(self.directory.path()).env_clear().env("LC_ALL", "C");
        if geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// Where its socket is.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn psql(&self, sql: &str) -> Command {
        let mut psql = self.command("psql");
        psql.args(["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h"]);
        psql.arg(self.directory.path()).args(["-c", sql]);
        psql
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a process has used in user and system time, and what the children did that it has waited for.
fn ticks(id: &str) -> [u64; 4] {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The name may have blanks.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
    let mut ticks = [0; 4];
    fields.zip(&mut ticks).for_each(|(field, tick)| *tick = field.parse().unwrap_or(0));
    ticks
}

/// Debian has them beside each other's versions, and not on the path.
fn binaries() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let directories = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    let number = |path: &PathBuf| path.iter().nth_back(1)?.to_str()?.parse::<u32>().ok();
    directories.filter(|path| path.join("postgres").exists()).max_by_key(number)
}
