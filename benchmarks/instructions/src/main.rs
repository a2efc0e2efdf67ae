//! Instructions that a record costs the pure cores: the same on every run, whatever else the machine does, so that CI can
//! hold them against `expected.txt`.
//!
//! Each core runs under callgrind, once for some records and once for twice as many: the difference is free of what
//! starting costs. It says nothing of time, nor of the kernel's part: for these there are the benchmarks. A package of its
//! own, so that CI need not build the peers.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail};
use clap::{Parser, Subcommand, ValueEnum};
use tempfile::TempDir;

/// Records of the smaller run.
const RECORDS: u64 = 5_000;
/// So far a count may be from what is expected, by it: compilers and processors differ a little.
const TOLERANCE: f64 = 0.05;

const HEAD: &str = "# Instructions a record (callgrind), which `just instructions` holds those of now against, 5 % more or less.\n\
    # After a gain, or a loss that is worth it: `just instructions --update`.\n";

/// A core, and the way that its records take through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Core {
    TextToCsvOrdinary,
    TextToCsvCareful,
    CsvToJsonOrdinary,
    CsvToJsonCareful,
    /// The whole program on a tree of so many files: its core is nobody else's business.
    Getdata,
}

impl Core {
    fn is_careful(self) -> bool {
        matches!(self, Core::TextToCsvCareful | Core::CsvToJsonCareful)
    }

    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Converts a file from memory, and drops what comes out.
    ///
    /// # Errors
    /// Not all can be read.
    fn run(self, input: &Path) -> anyhow::Result<()> {
        let input = fs::read(input).context("failed to read the input")?;
        let counts = match self {
            Core::TextToCsvOrdinary | Core::TextToCsvCareful => {
                text_to_csv::convert(&mut &input[..], &mut io::sink(), &mut ())?
            }
            Core::CsvToJsonOrdinary | Core::CsvToJsonCareful => {
                csv_to_json::convert(&mut &input[..], &mut io::sink(), &mut ())?
            }
            Core::Getdata => bail!("getdata is a program of its own"),
        };
        if counts.rejected > 0 {
            bail!("{} records were rejected", counts.rejected);
        }
        Ok(())
    }

    /// Instructions a record.
    fn count(self) -> anyhow::Result<f64> {
        let once = self.collected(RECORDS)?;
        let twice = self.collected(2 * RECORDS)?;
        Ok(twice.saturating_sub(once) as f64 / RECORDS as f64)
    }

    /// Instructions of a process that has so many records to do.
    fn collected(self, records: u64) -> anyhow::Result<u64> {
        let directory = tempfile::tempdir().context("failed to make a directory")?;
        let own = std::env::current_exe().context("failed to find this program")?;
        let mut command = Command::new("taskset");
        // On one core getdata has one thread: what several wait for each other differs from run to run.
        command.args([
            "-c",
            &first_core()?,
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
        ]);
        if self == Core::Getdata {
            let (tree, data) = (directory.path().join("tree"), directory.path().join("data"));
            plant(&tree, records)?;
            fs::create_dir(&data)?;
            command.arg(own.with_file_name("getdata")).arg("--root").arg(tree).arg("--data-dir").arg(data);
        } else {
            command.arg(own).args(["core", &self.name()]).arg(self.input(&directory, records)?);
        }
        let output = command.stdin(Stdio::null()).output();
        let output = output.context("failed to start taskset: install the Debian package util-linux")?;
        let said = String::from_utf8_lossy(&output.stderr);
        let count = said.lines().find_map(|line| line.split_once("Collected : "));
        match count.and_then(|(_, count)| count.trim().parse().ok()) {
            Some(count) if output.status.success() => Ok(count),
            _ => bail!("{} under valgrind (Debian package valgrind): {}\n{said}", self.name(), output.status),
        }
    }

    fn input(self, directory: &TempDir, records: u64) -> anyhow::Result<PathBuf> {
        let mut input = listing(records, self.is_careful()).into_bytes();
        if matches!(self, Core::CsvToJsonOrdinary | Core::CsvToJsonCareful) {
            let text = std::mem::take(&mut input);
            text_to_csv::convert(&mut &text[..], &mut input, &mut ())?;
        }
        let path = directory.path().join("input");
        fs::write(&path, input).context("failed to write the input")?;
        Ok(path)
    }
}

/// The first core that this process may use.
fn first_core() -> anyhow::Result<String> {
    let status = fs::read_to_string("/proc/self/status").context("failed to read /proc/self/status")?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let first = list.and_then(|list| list.trim().split(['-', ',']).next()).context("no core may be used")?;
    Ok(first.to_owned())
}

/// Lines as busybox prints them; careful ones have a name that must be quoted and is not ASCII.
fn listing(records: u64, is_careful: bool) -> String {
    let mut text = String::new();
    for record in 0..records {
        let awkward = if is_careful { " \"quoted\", ü" } else { "" };
        // Writing to memory cannot fail.
        let _ = writeln!(
            text,
            "-rw-r--r-- {:>4} root     root     {:>9} Mar {:2} {:02}:{:02} \
             /usr/share/doc/package/examples/of-something/directories/{}/file-number-{record:08}-with-a-name.txt{awkward}",
            1 + record % 9,
            record * 7,
            1 + record % 28,
            record % 24,
            record % 60,
            record % 500,
        );
    }
    text
}

fn plant(tree: &Path, files: u64) -> io::Result<()> {
    for file in 0..files {
        let directory = tree.join(format!("some-directory-{:04}", file / 100));
        if file % 100 == 0 {
            fs::create_dir_all(&directory)?;
        }
        fs::write(directory.join(format!("a-file-of-some-name-{file:06}.txt")), "")?;
    }
    Ok(())
}

/// Counts the instructions that a record costs, and holds them against expected.txt
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    act: Option<Act>,

    /// Write what was counted into expected.txt instead
    #[arg(long)]
    update: bool,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Be a core that is counted
    #[command(hide = true)]
    Core { core: Core, input: PathBuf },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.act {
        Some(Act::Core { core, input }) => core.run(&input),
        None => check(arguments.update),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Counts every core, and holds it against what is expected; with `update` writes that anew.
///
/// # Errors
/// A core costs more than expected, or less: then it is time to expect less.
fn check(update: bool) -> anyhow::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("expected.txt");
    let mut counts = Vec::new();
    for core in Core::value_variants() {
        let count = core.count()?;
        println!("{:<24} {count:>8.1} instructions a record", core.name());
        counts.push((core.name(), count));
    }
    if update {
        return fs::write(&path, render(&counts)).context("failed to write expected.txt");
    }
    let expected =
        fs::read_to_string(&path).with_context(|| format!("failed to read `{}`", path.display()))?;
    let differing = compare(&counts, &expected);
    if !differing.is_empty() {
        bail!("instructions a record differ from expected.txt: {}", differing.join("; "));
    }
    Ok(())
}

fn render(counts: &[(String, f64)]) -> String {
    let mut out = HEAD.to_owned();
    for (name, count) in counts {
        // Writing to memory cannot fail.
        let _ = writeln!(out, "{name:<24} {count:>8.1}");
    }
    out
}

/// Says of each count that is too far from what is expected by how much it is.
fn compare(counts: &[(String, f64)], expected: &str) -> Vec<String> {
    let expected = |name: &str| {
        let line = expected.lines().find(|line| line.split_whitespace().next() == Some(name))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    };
    let differing = counts.iter().filter_map(|(name, count)| {
        let Some(expected) = expected(name) else { return Some(format!("{name} is not in it")) };
        let change = count / expected - 1.0;
        let advice = if change > 0.0 { "slower" } else { "faster: `just instructions --update`" };
        (change.abs() > TOLERANCE).then(|| format!("{name} {:+.1} %, {advice}", 100.0 * change))
    });
    differing.collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    fn counts(count: f64) -> Vec<(String, f64)> {
        vec![("one".to_owned(), 100.0), ("other".to_owned(), count)]
    }

    #[test]
    fn what_was_written_is_expected_with_some_tolerance() {
        let expected = render(&counts(200.0));
        for count in [200.0, 209.0, 191.0] {
            assert!(compare(&counts(count), &expected).is_empty());
        }
    }

    #[test]
    fn too_many_and_too_few_instructions_are_told() {
        let expected = render(&counts(200.0));
        assert_eq!(compare(&counts(220.0), &expected), ["other +10.0 %, slower"]);
        assert_eq!(
            compare(&counts(180.0), &expected),
            ["other -10.0 %, faster: `just instructions --update`"]
        );
    }

    #[test]
    fn a_core_of_which_nothing_is_expected_is_told() {
        assert_eq!(compare(&counts(1.0), "one 100\n"), ["other is not in it"]);
    }
}
