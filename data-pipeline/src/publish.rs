//! Stage 4: the report, in each format that is asked for, whole or not at all.

use std::io::{self, BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};

use crate::aggregate;
use crate::pipeline::{Failures, Run};
use crate::report::{self, Format};
use crate::run_directory::Aggregated;
use crate::staged::Staged;
use crate::summary::{Report, StageTime};

/// Writes the report, and says where.
pub(crate) fn run(run: &Run, stages: &[StageTime], aggregated: Aggregated) -> Result<Vec<PathBuf>, Failures> {
    run.console.line("Generating report...");
    let formats = &run.config.report_format.0;
    let directory = &run.config.output_dir;
    let Aggregated { sources, columns, groups, .. } = aggregated;
    let records = aggregate::total(&sources);
    let generated_at = String::new();
    let mut report = Report { generated_at, stages: stages.to_vec(), sources, records, columns, groups };
    loop {
        let (stamp, generated_at) = stamp(directory, formats);
        report.generated_at = generated_at;
        if let Some(paths) = all_or_none(directory, &stamp, &report, formats)? {
            return Ok(paths);
        }
    }
}

/// Writes all formats before any appears. None: another report came first under this name.
fn all_or_none(
    directory: &Path,
    stamp: &str,
    report: &Report,
    formats: &[Format],
) -> anyhow::Result<Option<Vec<PathBuf>>> {
    let failed = |name: &str| format!("failed to write {}", directory.join(name).display());
    let mut written = Vec::new();
    for format in formats {
        let name = file_name(stamp, *format);
        let staged = write(directory, report, *format).with_context(|| failed(&name))?;
        written.push((staged, name));
    }
    let mut paths = Vec::new();
    for (staged, name) in written {
        match staged.publish(&name) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && paths.is_empty() => return Ok(None),
            published => paths.push(published.with_context(|| failed(&name))?),
        }
    }
    Ok(Some(paths))
}

fn file_name(stamp: &str, format: Format) -> String {
    format!("report-{stamp}.{}", format.extension())
}

/// The time as the report's name and as its content have it: a second later for each report that is there already.
fn stamp(directory: &Path, formats: &[Format]) -> (String, String) {
    let mut now = Timestamp::now();
    loop {
        let stamp = now.strftime("%Y-%m-%d-%H-%M-%S").to_string();
        if formats.iter().all(|format| !directory.join(file_name(&stamp, *format)).exists()) {
            return (stamp, now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        }
        now = now.saturating_add(SignedDuration::from_secs(1)).unwrap_or(now);
    }
}

fn write(directory: &Path, report: &Report, format: Format) -> io::Result<Staged> {
    let staged = Staged::begin(directory)?;
    let mut out = BufWriter::new(staged.file());
    report::render(report, format, &mut out)?;
    out.flush()?;
    drop(out);
    // A disk that is full may say so only here.
    staged.file().sync_all()?;
    Ok(staged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::Records;

    #[test]
    fn a_report_whose_name_another_took_meanwhile_leaves_nothing_of_itself() {
        let place = tempfile::tempdir().unwrap();
        let report = Report {
            generated_at: String::new(),
            stages: Vec::new(),
            sources: Vec::new(),
            records: Records::default(),
            columns: Vec::new(),
            groups: None,
        };
        let formats = [Format::Json, Format::Html];
        std::fs::write(place.path().join("report-1.json"), "another's").unwrap();
        assert!(all_or_none(place.path(), "1", &report, &formats).unwrap().is_none());
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
        let paths = all_or_none(place.path(), "2", &report, &formats).unwrap().unwrap();
        assert_eq!(paths.len(), 2);
    }
}
