//! text-to-csv and csv-to-json on a million lines: CPU of the whole process, beside the cheapest way to copy that much and
//! beside others that convert.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::measure::{self, Cores, Usage, fresh, interleave};
use crate::place::{Place, own_file, system};
use crate::report::{Row, Section};
use crate::samples::{Samples, Unit};
use crate::{check, goals, input};

/// All of them, so that nobody gains from threads.
const CORES: Cores = Cores::Second;

const ABOUT: &str = "A million lines of `busybox ls -ld`, about 160 bytes each, 4,000 with blanks, quotes, commas, \
    backslashes or letters beyond ASCII in the name. Each starts from a fresh copy of its input that is on the disk, and \
    ends with its output synced and its input deleted. All on one core.";

pub(crate) fn run(place: &Place) -> anyhow::Result<Section> {
    let lines = place.scaled(1_000_000);
    let directory = place.directory()?;
    let [text, csv, json] = ["txt", "csv", "json"].map(|extension| directory.path().join(extension));
    input::write(lines, &text, Some(&csv), Some(&json))?;

    let mut section = Section { title: "Conversions", about: ABOUT.to_owned(), ..Section::default() };
    let text_to_csv = Conversion {
        place,
        name: "text-to-csv",
        extensions: ["txt", "csv"],
        input: text,
        output: csv.clone(),
    };
    text_to_csv.measure(&mut section)?;
    let csv_to_json =
        Conversion { place, name: "csv-to-json", extensions: ["csv", "json"], input: csv, output: json };
    csv_to_json.measure(&mut section)?;
    section.commands = COMMANDS;
    Ok(section)
}

const COMMANDS: &[(&str, &str)] = &[
    ("text-to-csv", "text-to-csv --once --data-dir DIRECTORY"),
    ("csv-to-json", "csv-to-json --once --data-dir DIRECTORY"),
    ("cp", "cp in out; sync out; rm in"),
    ("mawk", "mawk -f benchmarks/peers/naive.awk in > out; sync out; rm in"),
    ("csv + serde_json", "benchmarks peer csv-to-json in out"),
];

struct Conversion<'a> {
    place: &'a Place,
    name: &'static str,
    extensions: [&'static str; 2],
    input: PathBuf,
    /// What must come out.
    output: PathBuf,
}

impl Conversion<'_> {
    fn measure(&self, section: &mut Section) -> anyhow::Result<()> {
        let name = self.name;
        let is_text = name == "text-to-csv";
        let runs = interleave(
            self.place.rounds,
            [&mut || self.ours(), &mut || self.copy(is_text), &mut || {
                if is_text { self.mawk() } else { self.serde() }
            }],
        )?;
        let [ours, copy, usual] = runs.map(|runs| Samples::of(&runs, Unit::Seconds, Usage::cpu_seconds));
        let row = |against: &str, peer: &Samples| Row::ratio(name, &ours, against, peer);
        if is_text {
            section.rows.push(row("`cp`, `sync`, `rm`", &copy).goal(goals::text_to_csv::COPY));
            section.rows.push(row("naive mawk", &usual).goal(goals::text_to_csv::MAWK));
        } else {
            section.rows.push(
                row("`cp` of the output, `sync`, `rm` of the input", &copy).goal(goals::csv_to_json::COPY),
            );
            section.rows.push(row("csv + serde_json", &usual).goal(goals::csv_to_json::SERDE));
        }
        Ok(())
    }

    fn ours(&self) -> anyhow::Result<Usage> {
        let directory = self.place.directory()?;
        let file = |extension: &str| directory.path().join(format!("listing.{extension}"));
        fresh(&self.input, &file(self.extensions[0]))?;
        let usage = measure::run(CORES, &mut [self.place.stage_once(self.name, directory.path())])?;
        check::equal(&self.output, &file(self.extensions[1]))?;
        Ok(usage)
    }

    /// Of the input where that is what text-to-csv copies, else of the output.
    fn copy(&self, of_input: bool) -> anyhow::Result<Usage> {
        let directory = self.place.directory()?;
        let [from, to] = ["in", "out"].map(|name| directory.path().join(name));
        fresh(&self.input, &from)?;
        let mut copy = system("cp");
        copy.arg(if of_input { &from } else { &self.output }).arg(&to);
        measure::run(CORES, &mut [copy, sync(&to), remove(&from)])
    }

    fn mawk(&self) -> anyhow::Result<Usage> {
        self.peer(|from, to| {
            let mut mawk = system("mawk");
            let out = File::create(to).with_context(|| format!("failed to create `{}`", to.display()))?;
            mawk.arg("-f").arg(own_file("peers/naive.awk")).arg(from).stdout(out);
            Ok(vec![mawk, sync(to), remove(from)])
        })
    }

    fn serde(&self) -> anyhow::Result<Usage> {
        let mut peer = self.place.peer("csv-to-json")?;
        self.peer(|from, to| {
            peer.args([from, to]);
            Ok(vec![peer])
        })
    }

    /// Runs the commands that `commands` makes of input and output.
    fn peer(
        &self,
        commands: impl FnOnce(&Path, &Path) -> anyhow::Result<Vec<Command>>,
    ) -> anyhow::Result<Usage> {
        let directory = self.place.directory()?;
        let [from, to] = ["in", "out"].map(|name| directory.path().join(name));
        fresh(&self.input, &from)?;
        measure::run(CORES, &mut commands(&from, &to)?)
    }
}

fn sync(path: &Path) -> Command {
    let mut command = system("sync");
    command.arg(path);
    command
}

fn remove(path: &Path) -> Command {
    let mut command = system("rm");
    command.arg(path);
    command
}
