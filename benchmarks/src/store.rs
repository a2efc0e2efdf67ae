//! Rows a second that the api stores, one POST each, beside what PostgreSQL's own clients put into the same table.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use end_to_end::Postgres;

use crate::goals;
use crate::measure::{Cores, interleave, run as run_all, wait_for};
use crate::place::Place;
use crate::report::{Row, Section};
use crate::samples::{Samples, Unit};
use crate::service::{Api, DOCUMENT, Load};

/// Whose CPU is shown, for so many rows.
const ROWS_OF_CPU: f64 = 100_000.0;
const DURATION: Duration = Duration::from_secs(5);

/// A row each, as the api's: a key, the document, a time, a pod.
const PGBENCH: &str = "INSERT INTO documents (key, document, received, pod) \
                       VALUES (gen_random_uuid()::text, :document, now(), 'pgbench') ON CONFLICT DO NOTHING;\n";
const COPY: &str = r"\copy documents (key, document, received, pod) FROM 'rows'";

/// What one contender did.
#[derive(Clone, Copy)]
struct Run {
    rows: u64,
    wall: Duration,
    /// The server's, and that of who gives it the rows.
    cpu: Duration,
}

pub(crate) fn run(place: &Place) -> anyhow::Result<Section> {
    let title = "Storing";
    let Some(postgres) = Postgres::start("the benchmarks of storing") else {
        let about = "Not measured here: it needs the package `postgresql`.";
        return Ok(Section { title, about: about.to_owned(), ..Section::default() });
    };
    let bench = Bench { place, postgres: &postgres, load: Load::new(place, DURATION)?.keyless() };
    bench.prepare()?;
    let runs = interleave(
        place.rounds,
        [&mut || bench.api(), &mut || bench.pgbench(1), &mut || bench.pgbench(64), &mut || bench.copy()],
    )?;
    let rates = runs
        .each_ref()
        .map(|runs| Samples::of(runs, Unit::PerSecond, |run| run.rows as f64 / run.wall.as_secs_f64()));
    let cpu = runs.each_ref().map(|runs| {
        Samples::of(runs, Unit::Seconds, |run| run.cpu.as_secs_f64() * ROWS_OF_CPU / run.rows as f64)
    });
    let [api, single, many, copy] = &rates;
    let [api_cpu, single_cpu, many_cpu, copy_cpu] = &cpu;
    Ok(Section {
        title,
        about: ABOUT.to_owned(),
        rows: vec![
            Row::ratio("rows a second", api, "pgbench, 1 client", single).goal(goals::STORE),
            Row::ratio("rows a second", api, "pgbench, 64 clients", many),
            Row::ratio("rows a second", api, "`\\copy`", copy),
            Row::ratio("CPU of 100,000 rows", api_cpu, "pgbench, 1 client", single_cpu),
            Row::ratio("CPU of 100,000 rows", api_cpu, "pgbench, 64 clients", many_cpu),
            Row::ratio("CPU of 100,000 rows", api_cpu, "`\\copy`", copy_cpu),
        ],
        commands: &[
            (
                "api",
                "DATABASE_URL=postgres://… api --listen ADDRESS --admin-listen ADDRESS; wrk -t1 -c64 -d5s …",
            ),
            ("pgbench", "pgbench -n -M prepared -c CLIENTS -j 1 -T 5 -f insert.sql"),
            ("copy", r"psql -c '\copy documents (key, document, received, pod) FROM rows'"),
        ],
    })
}

const ABOUT: &str = "The same table of the same PostgreSQL (fsync on), emptied before each run; rows of a document of 210 \
    bytes, each with a key of its own. The api gets one POST a row, over 64 connections that stay open, and answers each when \
    it is committed; pgbench inserts a row in each transaction; `\\copy` has all rows in one. Rows are counted in the table. \
    All on both cores. CPU is PostgreSQL's and that of the api, pgbench or psql; who sends the POSTs is not counted.";

struct Bench<'a> {
    place: &'a Place,
    postgres: &'a Postgres,
    load: Load,
}

impl Bench<'_> {
    /// Lets an api make the table, and writes what the peers read.
    fn prepare(&self) -> anyhow::Result<()> {
        Api::start_with(self.place, Cores::Both, Some(&self.postgres.url()))?.stop()?;
        let directory = self.postgres.directory();
        fs::write(directory.join("insert.sql"), PGBENCH).context("failed to write the script")?;
        let file = File::create(directory.join("rows")).context("failed to write the rows")?;
        let mut file = BufWriter::new(file);
        // As COPY reads text: a backslash stands for itself when it is doubled.
        let document = DOCUMENT.replace('\\', "\\\\");
        for row in 0..self.place.scaled(500_000) {
            writeln!(
                file,
                "00000000-0000-7000-8000-{row:012}\t{document}\t2026-01-01 00:00:00.000000+00\tcopy"
            )?;
        }
        file.flush().context("failed to write the rows")
    }

    fn api(&self) -> anyhow::Result<Run> {
        let api = Api::start_with(self.place, Cores::Both, Some(&self.postgres.url()))?;
        let (mut cpu, mut wall) = (Duration::ZERO, Duration::ZERO);
        let mut run = self.measured(|| {
            let started = Instant::now();
            let rate = self.load.wrk(Cores::Both, &api.url())?;
            ensure!(rate > 0.0, "the api answered nothing");
            // What is in flight at wrk's end is stored too.
            wall = started.elapsed();
            cpu = api.stop()?.cpu;
            Ok(())
        })?;
        run.wall = wall;
        run.cpu += cpu;
        Ok(run)
    }

    fn pgbench(&self, clients: u32) -> anyhow::Result<Run> {
        let mut command = self.command("pgbench");
        command.args(["-n", "-M", "prepared", "-j", "1", "-T", &DURATION.as_secs().to_string()]);
        command.args(["-c", &clients.to_string(), "-D", &format!("document={DOCUMENT}"), "-f", "insert.sql"]);
        self.client(command.arg("postgres"))
    }

    fn copy(&self) -> anyhow::Result<Run> {
        self.client(self.command("psql").args(["-X", "-q", "-d", "postgres", "-c", COPY]))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = self.postgres.command(program);
        command.args(["-U", "postgres", "-h"]).arg(self.postgres.directory());
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        command
    }

    fn client(&self, command: &mut Command) -> anyhow::Result<Run> {
        let mut cpu = Duration::ZERO;
        let command = std::mem::replace(command, Command::new("true"));
        let mut run = self.measured(|| {
            cpu = run_all(Cores::Both, &mut [command])?.cpu;
            Ok(())
        })?;
        run.cpu += cpu;
        Ok(run)
    }

    /// Empties the table, lets a contender fill it, and counts what is in it then, and what the server used.
    fn measured(&self, fill: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Run> {
        self.postgres.query("TRUNCATE documents RESTART IDENTITY");
        self.postgres.query("CHECKPOINT");
        let before = self.postgres.cpu();
        let started = Instant::now();
        fill()?;
        let wall = started.elapsed();
        // Only then is what their processes used the server's.
        wait_for("the last client to be gone", || Ok(self.postgres.is_alone().then_some(())))?;
        let cpu = self.postgres.cpu().saturating_sub(before);
        let rows = self.postgres.count();
        ensure!(rows > 0, "nothing was stored");
        let right = format!("SELECT count(*) FROM documents WHERE document <> '{DOCUMENT}'");
        ensure!(self.postgres.query(&right).trim() == "0", "something else was stored");
        Ok(Run { rows, wall, cpu })
    }
}
