//! json-to-api beside wrk on the same api and cores.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::measure::{self, Cores, Usage, fresh, interleave};
use crate::place::Place;
use crate::report::{Row, Section};
use crate::samples::{Samples, Unit};
use crate::service::{Api, Load};
use crate::{check, goals, input};

const ABOUT: &str = "Documents of 210 bytes a second, from a file of 200,000, 64 in flight. json-to-api prints its block per \
    document to a file on the disk and saves its progress there; its figure is that of the whole process, less the time of \
    one that has nothing to deliver. The api on one core, the client on the other; wrk always over HTTP/1.1.";

pub(crate) fn run(place: &Place) -> anyhow::Result<Section> {
    let count = place.scaled(200_000);
    let load = Load::new(place, Duration::from_secs(3))?;
    let documents = Documents::write(place, count)?;
    let [wrk, first, second] = measure(place, &documents, &load)?;
    let rows = vec![
        Row::ratio("json-to-api", &first, "wrk", &wrk).goal(goals::json_to_api::HTTP_1),
        Row::ratio("json-to-api, `--http 2`", &second, "wrk", &wrk).goal(goals::json_to_api::HTTP_2),
    ];
    Ok(Section {
        title: "Delivery",
        about: ABOUT.to_owned(),
        rows,
        commands: &[
            ("json-to-api", "json-to-api --once --http 1|2 --data-dir DIRECTORY --api-url URL > blocks"),
            ("wrk", "wrk -t1 -c64 -d3s -s benchmarks/peers/post.lua URL"),
        ],
    })
}

fn measure(place: &Place, documents: &Documents, load: &Load) -> anyhow::Result<[Samples; 3]> {
    let (server, client) = (Cores::First, Cores::Second);
    let deliver = |version| {
        let api = Api::start(place, server)?;
        let idle = Documents::idle(place, client, &api)?;
        let usage = documents.deliver(place, client, &api, &["--http", version])?;
        anyhow::Ok(documents.rate(&usage, &idle))
    };
    let runs = interleave(
        place.rounds,
        [&mut || load.wrk(client, &Api::start(place, server)?.url()), &mut || deliver("1"), &mut || {
            deliver("2")
        }],
    )?;
    Ok(runs.map(|rates| Samples::new(Unit::PerSecond, rates)))
}

/// A file to deliver.
pub(crate) struct Documents {
    file: PathBuf,
    pub(crate) count: u64,
}

impl Documents {
    /// Writes a file of so many.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(place: &Place, count: u64) -> anyhow::Result<Self> {
        let file = place.root().join(format!("{count}.json"));
        input::write(count, &place.root().join("listing"), None, Some(&file))?;
        Ok(Self { file, count })
    }

    /// Delivers all, and checks that they were.
    ///
    /// # Errors
    /// They were not.
    pub(crate) fn deliver(
        &self,
        place: &Place,
        cores: Cores,
        api: &Api,
        settings: &[&str],
    ) -> anyhow::Result<Usage> {
        let directory = place.directory()?;
        fresh(&self.file, &directory.path().join("listing.json"))?;
        let blocks = directory.path().join("blocks");
        let before = api.requests()?;
        let usage = deliver(place, cores, api, directory.path(), &blocks, settings)?;
        let (requests, printed) = (api.requests()? - before, check::blocks(&blocks)?);
        let count = self.count;
        ensure!(
            requests >= count && printed == count,
            "of {count} documents {requests} were received and {printed} printed"
        );
        Ok(usage)
    }

    /// What json-to-api uses that has nothing to deliver.
    ///
    /// # Errors
    /// It fails.
    pub(crate) fn idle(place: &Place, cores: Cores, api: &Api) -> anyhow::Result<Usage> {
        let directory = place.directory()?;
        deliver(place, cores, api, directory.path(), &directory.path().join("blocks"), &[])
    }

    fn rate(&self, usage: &Usage, idle: &Usage) -> f64 {
        self.count as f64 / usage.wall.saturating_sub(idle.wall).as_secs_f64()
    }
}

fn deliver(
    place: &Place,
    cores: Cores,
    api: &Api,
    directory: &Path,
    blocks: &Path,
    settings: &[&str],
) -> anyhow::Result<Usage> {
    let mut command = place.stage_once("json-to-api", directory);
    let blocks = File::create(blocks).context("failed to create the file for the blocks")?;
    command.args(settings).arg("--api-url").arg(api.url()).stdout(blocks);
    measure::run(cores, &mut [command])
}
