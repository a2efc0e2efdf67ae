//! The peak memory of each program on a small and on a large file, beside the process with nothing to do.

use std::fs;

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::delivery::Documents;
use crate::measure::{self, Cores, Usage, fresh, interleave};
use crate::place::Place;
use crate::report::{Row, Section};
use crate::samples::{Samples, Unit, thousands};
use crate::service::Api;
use crate::{goals, input, machine};

const CORES: Cores = Cores::Second;
/// Lines of the files, small and large.
const COUNTS: [u64; 2] = [10_000, 1_000_000];

const ABOUT: &str = "Peak memory of the whole process, with a small file, a large one, and nothing to do. getdata's file is a \
    directory of 100,000 entries.";

/// A program, given so many lines or nothing to do.
type Run<'a> = &'a dyn Fn(Option<u64>) -> anyhow::Result<Usage>;

pub(crate) fn run(place: &Place) -> anyhow::Result<Section> {
    let counts = COUNTS.map(|count| place.scaled(count));
    let inputs = Inputs::write(place, counts)?;
    let getdata_counts = [100, 100_000].map(|count| place.scaled(count));
    let programs: [(&str, [u64; 2], Run<'_>); 4] = [
        ("getdata", getdata_counts, &|entries| list(place, entries.unwrap_or(0))),
        ("text-to-csv", counts, &|lines| inputs.convert(place, "text-to-csv", "txt", lines)),
        ("csv-to-json", counts, &|lines| inputs.convert(place, "csv-to-json", "csv", lines)),
        ("json-to-api", counts, &|lines| deliver(place, lines)),
    ];
    let mut rows = Vec::new();
    for (name, counts, run) in programs {
        let runs = interleave(
            place.rounds,
            [&mut || run(None), &mut || run(Some(counts[0])), &mut || run(Some(counts[1]))],
        )?;
        let [idle, small, large] =
            runs.map(|runs| Samples::of(&runs, Unit::Mebibytes, Usage::peak_mebibytes));
        for (count, peak) in counts.into_iter().zip([small, large]) {
            let what = format!("{name}, {}", thousands(count as f64));
            rows.push(Row::ratio(what, &peak, "nothing to do", &idle).difference().goal(goals::MEMORY));
        }
    }
    Ok(Section {
        title: "Memory",
        about: format!(
            "{ABOUT} The measuring process, below whose peak no program's is seen, had {} MiB.",
            machine::own_peak_mebibytes()
        ),
        rows,
        commands: &[("each", "PROGRAM --once --data-dir DIRECTORY")],
    })
}

/// Files of either format.
struct Inputs(TempDir);

impl Inputs {
    fn write(place: &Place, counts: [u64; 2]) -> anyhow::Result<Self> {
        let directory = place.directory()?;
        for count in counts {
            let path = |extension: &str| directory.path().join(format!("{count}.{extension}"));
            input::write(count, &path("txt"), Some(&path("csv")), None)?;
        }
        Ok(Inputs(directory))
    }

    fn convert(
        &self,
        place: &Place,
        name: &str,
        extension: &str,
        lines: Option<u64>,
    ) -> anyhow::Result<Usage> {
        let data = place.directory()?;
        let file = data.path().join(format!("listing.{extension}"));
        if let Some(lines) = lines {
            fresh(&self.0.path().join(format!("{lines}.{extension}")), &file)?;
        }
        let usage = measure::run(CORES, &mut [place.stage_once(name, data.path())])?;
        ensure!(!file.exists(), "{name} left its file");
        Ok(usage)
    }
}

fn deliver(place: &Place, lines: Option<u64>) -> anyhow::Result<Usage> {
    let api = Api::start(place, Cores::First)?;
    match lines {
        None => Documents::idle(place, CORES, &api),
        Some(count) => Documents::write(place, count)?.deliver(place, CORES, &api, &[]),
    }
}

fn list(place: &Place, entries: u64) -> anyhow::Result<Usage> {
    let (data, tree) = (place.directory()?, place.directory()?);
    for entry in 0..entries {
        fs::File::create(tree.path().join(format!("a-file-of-some-name-{entry:06}")))
            .context("failed to make a tree")?;
    }
    let mut command = place.program("getdata");
    command.arg("--root").arg(tree.path()).arg("--data-dir").arg(data.path());
    measure::run(CORES, &mut [command])
}
