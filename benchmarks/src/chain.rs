//! The whole chain: from a million lines dropped to the last document answered, beside syslog-ng.

use std::fs::{self, File};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};
use tempfile::{TempDir, tempdir_in};

use crate::measure::{Cores, Running, fresh, interleave, run as run_all, start, wait_for};
use crate::place::{Place, free_address, own_file, system};
use crate::report::{Row, Section};
use crate::samples::{Samples, Unit};
use crate::service::{Api, is_ready};
use crate::{check, goals, input};

const ABOUT: &str = "Documents a second on the same two cores, each document a POST of its own to the same api. The chain: \
    three stages that watch the directory, from a million lines dropped to the last document counted by the api. syslog-ng: \
    200,000 of these lines, from the first to the last that the api counts, over eight connections.";

pub(crate) fn run(place: &Place) -> anyhow::Result<Section> {
    let [lines, fewer] = [1_000_000, 200_000].map(|count| place.scaled(count));
    let [text, less_text] = ["million.txt", "fewer.txt"].map(|name| place.root().join(name));
    input::write(lines, &text, None, None)?;
    input::write(fewer, &less_text, None, None)?;
    let runs = interleave(
        place.rounds,
        [&mut || Ok(lines as f64 / seconds(place, place.root(), &text, lines, &[])?), &mut || {
            syslog_ng(place, &less_text, fewer)
        }],
    )?;
    let [chain, syslog_ng] = runs.map(|rates| Samples::new(Unit::PerSecond, rates));
    let row = Row::ratio("whole chain", &chain, "syslog-ng, one POST a document", &syslog_ng);
    Ok(Section {
        title: "The whole chain",
        about: ABOUT.to_owned(),
        rows: vec![row.goal(goals::CHAIN)],
        commands: &[
            (
                "chain",
                "text-to-csv, csv-to-json, json-to-api --api-url URL > blocks, each with --data-dir DIRECTORY",
            ),
            ("syslog-ng", "syslog-ng --foreground --no-caps --cfgfile benchmarks/peers/syslog-ng.conf"),
        ],
    })
}

/// The three stages on a directory, waiting for files.
pub(crate) struct Stages {
    pub(crate) directory: TempDir,
    /// What json-to-api prints lies on the disk, wherever the directory is.
    beside: TempDir,
    running: Vec<Running>,
}

impl Stages {
    /// Starts them on a directory of a volume, with an api; `settings` are for each.
    ///
    /// # Errors
    /// One does not start.
    pub(crate) fn start(place: &Place, volume: &Path, url: &str, settings: &[&str]) -> anyhow::Result<Self> {
        let directory = tempdir_in(volume).context("failed to make a directory")?;
        let mut stages = Self { directory, beside: place.directory()?, running: Vec::new() };
        for name in ["text-to-csv", "csv-to-json", "json-to-api"] {
            let mut command = place.program(name);
            let admin = free_address()?;
            command
                .arg("--data-dir")
                .arg(stages.directory.path())
                .arg("--admin-listen")
                .arg(admin.to_string())
                .args(settings);
            if name == "json-to-api" {
                let blocks =
                    File::create(stages.blocks()).context("failed to create the file for the blocks")?;
                command.args(["--api-url", url]).stdout(blocks);
            }
            let mut running = start(Cores::Both, &mut command)?;
            // Ready: it watches the directory.
            wait_for(name, || {
                ensure!(!running.is_over(), "{name} has ended");
                Ok(is_ready(admin).then_some(()))
            })?;
            stages.running.push(running);
        }
        Ok(stages)
    }

    fn blocks(&self) -> std::path::PathBuf {
        self.beside.path().join("blocks")
    }

    /// Gives a file that lies beside the directory a name in it, at once.
    ///
    /// # Errors
    /// It cannot be moved.
    pub(crate) fn drop_in(&self, file: &Path) -> anyhow::Result<()> {
        let mut command = system("mv");
        command.arg(file).arg(self.directory.path().join("listing.txt"));
        run_all(Cores::Both, &mut [command]).map(drop)
    }

    /// Asks them to finish, and waits for that.
    ///
    /// # Errors
    /// One fails.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        self.running.drain(..).try_for_each(|stage| stage.stop().map(drop))
    }
}

/// Seconds from the lines dropped on a volume to the last document that the api counts.
///
/// # Errors
/// A program fails, or what came out is wrong.
pub(crate) fn seconds(
    place: &Place,
    volume: &Path,
    text: &Path,
    lines: u64,
    settings: &[&str],
) -> anyhow::Result<f64> {
    let api = Api::start(place, Cores::Both)?;
    let mut stages = Stages::start(place, volume, &api.url(), settings)?;
    let beside = tempdir_in(volume).context("failed to make a directory")?;
    let file = beside.path().join("dropped");
    fresh(text, &file)?;
    let started = Instant::now();
    stages.drop_in(&file)?;
    wait_for("the last document", || Ok((api.requests()? >= lines).then_some(())))?;
    let seconds = started.elapsed().as_secs_f64();
    stages.stop()?;
    let (received, printed) = (api.requests()?, check::blocks(&stages.blocks())?);
    ensure!(
        received >= lines && printed == lines,
        "of {lines} lines {received} were received and {printed} printed"
    );
    Ok(seconds)
}

fn syslog_ng(place: &Place, text: &Path, lines: u64) -> anyhow::Result<f64> {
    let api = Api::start(place, Cores::Both)?;
    let directory = place.directory()?;
    let path = |name: &str| directory.path().join(name);
    let settings =
        fs::read_to_string(own_file("peers/syslog-ng.conf")).context("failed to read its settings")?;
    let settings = settings.replace("INPUT", &text.display().to_string()).replace("URL", &api.url());
    fs::write(path("syslog-ng.conf"), settings).context("failed to write its settings")?;
    let mut command = system("syslog-ng");
    command.args(["--foreground", "--no-caps"]).stderr(File::create(path("log"))?);
    for (option, name) in [
        ("--cfgfile", "syslog-ng.conf"),
        ("--persist-file", "persist"),
        ("--pidfile", "pid"),
        ("--control", "control"),
    ] {
        command.arg(option).arg(path(name));
    }
    let mut running = start(Cores::Both, &mut command)?;
    let mut requests = || {
        ensure!(
            !running.is_over(),
            "syslog-ng has ended: {}",
            fs::read_to_string(path("log")).unwrap_or_default()
        );
        api.requests()
    };
    let (started, before) = wait_for("syslog-ng's first document", || {
        let count = requests()?;
        Ok((count > 0).then(|| (Instant::now(), count)))
    })?;
    wait_for("syslog-ng's last document", || Ok((requests()? >= lines).then_some(())))?;
    let rate = per_second(lines - before, started);
    Ok(rate)
}

fn per_second(count: u64, since: Instant) -> f64 {
    count as f64 / since.elapsed().as_secs_f64()
}
