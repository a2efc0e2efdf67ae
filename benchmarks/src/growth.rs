//! How cost grows with the work: sizes of a file, files that wait, replicas.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::delivery::Documents;
use crate::goals::{Goal, MEMORY};
use crate::measure::{self, Cores, Usage, fresh, interleave, start};
use crate::place::{Place, free_address};
use crate::report::{Row, Section};
use crate::samples::{Samples, Unit, thousands};
use crate::service::{Api, CONNECTIONS, Load};
use crate::{input, machine};

/// One figure is measured on a core of its own.
const CORES: Cores = Cores::Second;
/// Lines in a file that waits among many.
const FEW_LINES: u64 = 10;
/// So long a stage works on ten thousand files.
const BUSY: Duration = Duration::from_secs(2);

const ABOUT: &str = "What a line, a document or a file costs where there is more of it, beside what it costs where there is \
    less. CPU is that of the whole process less that of one with nothing to do. The lines of a small file bear the cost of \
    the batch itself, its renames and syncs. Peak memory is beside that of the process \
    with nothing to do.";

pub(crate) fn run(place: &Place) -> anyhow::Result<Section> {
    let mut section = Section { title: "Cost as work grows", about: ABOUT.to_owned(), ..Section::default() };
    conversions(place, &mut section)?;
    delivery(place, &mut section)?;
    waiting(place, &mut section)?;
    replicas(place, &mut section)?;
    apis(place, &mut section)?;
    section.checks.push(format!(
        "the measuring process, below whose peak no program's is seen, had {} MiB",
        machine::own_peak_mebibytes()
    ));
    section.commands = [
        ("conversions", "text-to-csv --once --data-dir DIRECTORY; csv-to-json --once --data-dir DIRECTORY"),
        (
            "delivery",
            "json-to-api --once --data-dir DIRECTORY --api-url URL > blocks, beside an api on the other core",
        ),
        ("10 files", "text-to-csv --once --data-dir DIRECTORY"),
        (
            "10,000 files",
            "text-to-csv --data-dir DIRECTORY, ended by SIGTERM after 2 s: CPU by the files it handed on",
        ),
        (
            "replicas",
            "text-to-csv --once --data-dir DIRECTORY, one or two of them at once, 8 files of 125,000 lines",
        ),
        ("apis", "wrk -t2 -c64 on one api; wrk -t1 -c32 on each of two; all on the same two cores"),
    ]
    .map(|(name, command)| (name, command.to_owned()))
    .into();
    Ok(section)
}

/// What a size was measured at.
struct Size {
    count: u64,
    runs: Vec<Usage>,
}

/// Rows of CPU a piece, beside that of the last size but one; and of memory, beside the process with nothing to do. The
/// goal is for the most memory of all sizes.
fn rows(name: &str, piece: &str, idle: &[Usage], sizes: &[Size], memory: Option<Goal>) -> Vec<Row> {
    let idle_cpu = Samples::of(idle, Unit::Seconds, Usage::cpu_seconds).median();
    let idle_peak = Samples::of(idle, Unit::Mebibytes, Usage::peak_mebibytes);
    let cpu = |size: &Size| {
        let each = |usage: &Usage| (usage.cpu_seconds() - idle_cpu) / size.count as f64 * 1e9;
        Samples::of(&size.runs, Unit::Nanoseconds, each)
    };
    let of = |size: &Size| format!("{piece} of {}", thousands(size.count as f64));
    let beside = &sizes[sizes.len() - 2];
    let mut rows: Vec<Row> = sizes
        .iter()
        .filter(|size| size.count != beside.count)
        .map(|size| Row::ratio(format!("{name}, {}", of(size)), &cpu(size), of(beside), &cpu(beside)))
        .collect();
    let first = rows.len();
    rows.extend(sizes.iter().map(|size| {
        let peak = Samples::of(&size.runs, Unit::Mebibytes, Usage::peak_mebibytes);
        let what = format!("{name}, memory at {}", thousands(size.count as f64));
        Row::ratio(what, &peak, "nothing to do", &idle_peak).difference()
    }));
    let most =
        rows[first..].iter_mut().max_by(|one, other| one.ours.median().total_cmp(&other.ours.median()));
    if let Some(row) = most {
        row.goal = memory;
    }
    rows
}

/// Both conversions, one after the other, on files of several sizes.
fn conversions(place: &Place, section: &mut Section) -> anyhow::Result<()> {
    let counts = [1_000, 100_000, 1_000_000, 10_000_000].map(|count| place.scaled(count));
    let directory = place.directory()?;
    let text = |count: u64| directory.path().join(format!("{count}.txt"));
    for count in counts {
        input::write(count, &text(count), None, None)?;
    }
    let convert = |count: Option<u64>| {
        let data = place.directory()?;
        if let Some(count) = count {
            fresh(&text(count), &data.path().join("listing.txt"))?;
        }
        let once = |name| measure::run(CORES, &mut [place.stage_once(name, data.path())]);
        let both = [once("text-to-csv")?, once("csv-to-json")?];
        ensure!(data.path().join("listing.json").exists() == count.is_some(), "nothing came out");
        Ok(both)
    };
    let [idle, one, two, three, four] = interleave(
        place.rounds,
        [
            &mut || convert(None),
            &mut || convert(Some(counts[0])),
            &mut || convert(Some(counts[1])),
            &mut || convert(Some(counts[2])),
            &mut || convert(Some(counts[3])),
        ],
    )?;
    for (index, name) in ["text-to-csv", "csv-to-json"].into_iter().enumerate() {
        let of = |runs: &[[Usage; 2]]| runs.iter().map(|run| run[index]).collect::<Vec<_>>();
        let sizes = [&one, &two, &three, &four];
        let sizes = counts.into_iter().zip(sizes).map(|(count, runs)| Size { count, runs: of(runs) });
        let sizes: Vec<_> = sizes.collect();
        section.rows.extend(rows(name, "a line", &of(&idle), &sizes, Some(MEMORY)));
    }
    Ok(())
}

fn delivery(place: &Place, section: &mut Section) -> anyhow::Result<()> {
    let counts = [1_000, 100_000, 1_000_000].map(|count| place.scaled(count));
    let all = [0, 1, 2].map(|size| Documents::write(place, counts[size]));
    let [small, middle, large] = all;
    let (small, middle, large) = (small?, middle?, large?);
    let deliver = |documents: &Documents| {
        let api = Api::start(place, Cores::First)?;
        documents.deliver(place, CORES, &api, &[])
    };
    let [idle, one, two, three] = interleave(
        place.rounds,
        [
            &mut || Documents::idle(place, CORES, &Api::start(place, Cores::First)?),
            &mut || deliver(&small),
            &mut || deliver(&middle),
            &mut || deliver(&large),
        ],
    )?;
    let sizes: Vec<_> =
        counts.into_iter().zip([one, two, three]).map(|(count, runs)| Size { count, runs }).collect();
    section.rows.extend(rows("json-to-api", "a document", &idle, &sizes, None));
    section.checks.push("every document was delivered and printed once".to_owned());
    Ok(())
}

/// What a file costs where few or many wait.
fn waiting(place: &Place, section: &mut Section) -> anyhow::Result<()> {
    let line = place.root().join("few lines");
    input::write(FEW_LINES, &line, None, None)?;
    let idle = RefCell::new(Vec::new());
    let many = place.scaled(10_000);
    let [few, many] = interleave(
        place.rounds,
        [
            &mut || {
                let nothing = place.directory()?;
                let once = |data: &Path| measure::run(CORES, &mut [place.stage_once("text-to-csv", data)]);
                idle.borrow_mut().push(once(nothing.path())?.cpu_seconds());
                let data = place.directory()?;
                fill(data.path(), &line, 10)?;
                let usage = once(data.path())?;
                ensure!(handed_on(data.path())? == 10, "not all files were converted");
                Ok((usage.cpu_seconds(), 10.0))
            },
            &mut || {
                let data = place.directory()?;
                fill(data.path(), &line, many)?;
                let mut command = place.program("text-to-csv");
                let admin = free_address()?.to_string();
                command.arg("--data-dir").arg(data.path()).args(["--admin-listen", &admin]);
                let running = start(CORES, &mut command)?;
                std::thread::sleep(BUSY);
                let usage = running.stop()?;
                let done = handed_on(data.path())?;
                ensure!(done > 0, "no file was converted");
                Ok((usage.cpu_seconds(), f64::from(done)))
            },
        ],
    )?;
    let idle = Samples::new(Unit::Seconds, idle.into_inner()).median();
    let each = |runs: &[(f64, f64)]| {
        Samples::of(runs, Unit::Microseconds, |(cpu, files)| (cpu - idle) / files * 1e6)
    };
    let row = Row::ratio("text-to-csv, a file of 10,000 waiting", &each(&many), "a file of 10", &each(&few));
    section.rows.push(row);
    Ok(())
}

/// Puts so many files into a data directory.
fn fill(data: &Path, file: &Path, count: u64) -> anyhow::Result<()> {
    for index in 0..count {
        let to = data.join(format!("listing-{index:06}.txt"));
        fs::copy(file, &to).with_context(|| format!("failed to write `{}`", to.display()))?;
    }
    rustix::fs::sync();
    Ok(())
}

fn handed_on(data: &Path) -> anyhow::Result<u32> {
    let entries = fs::read_dir(data).context("failed to read the data directory")?;
    let made = entries.flatten().filter(|entry| entry.path().extension().is_some_and(|it| it == "csv"));
    Ok(u32::try_from(made.count())?)
}

/// Two of a stage beside one, on two cores.
fn replicas(place: &Place, section: &mut Section) -> anyhow::Result<()> {
    let (files, lines) = (8_u32, place.scaled(125_000));
    let file = place.root().join("an eighth");
    input::write(lines, &file, None, None)?;
    let convert = |replicas: usize| {
        let data = place.directory()?;
        fill(data.path(), &file, u64::from(files))?;
        let started = Instant::now();
        let running: Vec<_> = (0..replicas)
            .map(|_| start(Cores::Both, &mut place.stage_once("text-to-csv", data.path())))
            .collect::<Result<_, _>>()?;
        running.into_iter().try_for_each(|replica| replica.finish().map(drop))?;
        let elapsed = started.elapsed().as_secs_f64();
        ensure!(handed_on(data.path())? == files, "not all files were converted");
        Ok(f64::from(files) * lines as f64 / elapsed)
    };
    let runs = interleave(place.rounds, [&mut || convert(2), &mut || convert(1)])?;
    let [two, one] = runs.map(|rates| Samples::new(Unit::PerSecond, rates));
    section.rows.push(Row::ratio("text-to-csv, lines a second, two replicas", &two, "one", &one));
    Ok(())
}

/// Two apis beside one. A client and an api fill two cores already: all that can show is that nothing is lost.
fn apis(place: &Place, section: &mut Section) -> anyhow::Result<()> {
    let load = Load::new(place, Duration::from_secs(3))?;
    let half = |url: String| load.wrk_threads(Cores::Both, 1, CONNECTIONS / 2, &url);
    let runs = interleave(
        place.rounds,
        [
            &mut || {
                let (one, other) = (Api::start(place, Cores::Both)?, Api::start(place, Cores::Both)?);
                let rates = std::thread::scope(|scope| {
                    let rates = [&one, &other].map(|api| scope.spawn(|| half(api.url())));
                    rates.map(|rate| rate.join().unwrap_or_else(|_| anyhow::bail!("a thread panicked")))
                });
                let [one, other] = rates;
                Ok(one? + other?)
            },
            &mut || load.wrk(Cores::Both, CONNECTIONS, &Api::start(place, Cores::Both)?.url()),
        ],
    )?;
    let [two, one] = runs.map(|rates| Samples::new(Unit::PerSecond, rates));
    section.rows.push(Row::ratio("requests a second, two apis on the same two cores", &two, "one", &one));
    Ok(())
}
