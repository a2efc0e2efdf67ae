//! The peers that others provide: whether they are there, which version, and where to get them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

use crate::place::{checkout, own_file};

/// A program that some rows need.
struct Tool {
    program: &'static str,
    /// The Debian package that has it.
    package: &'static str,
    /// What makes it say its version.
    version: &'static [&'static str],
}

const TOOLS: [Tool; 8] = [
    Tool { program: "cp", package: "coreutils", version: &["--version"] },
    Tool { program: "mawk", package: "mawk", version: &["-W", "version"] },
    Tool { program: "find", package: "findutils", version: &["--version"] },
    Tool { program: "wrk", package: "wrk", version: &["-v"] },
    Tool { program: "h2load", package: "nghttp2-client", version: &["--version"] },
    Tool { program: "syslog-ng", package: "syslog-ng-core syslog-ng-mod-http", version: &["--version"] },
    Tool { program: "curl", package: "curl", version: &["--version"] },
    Tool { program: "python3", package: "python3 python3-venv", version: &["--version"] },
];

/// The versions of all of them, each in a line of its own words.
///
/// # Errors
/// One is missing: names what to install.
pub(crate) fn versions() -> anyhow::Result<Vec<String>> {
    let mut versions = Vec::new();
    let mut missing = Vec::new();
    for tool in TOOLS {
        match Command::new(tool.program).args(tool.version).output() {
            // Some speak on standard error, some call that a failure.
            Ok(output) => versions.push(first_line(&[output.stdout, output.stderr].concat())),
            Err(_) => missing.push(tool.package),
        }
    }
    if !missing.is_empty() {
        bail!("peers are missing: install the Debian packages {}", missing.join(" "));
    }
    versions.push(frames_version()?);
    Ok(versions)
}

/// The Python that has polars and duckdb; `just bench` makes it.
pub(crate) fn python() -> PathBuf {
    checkout().join("target/benchmarks-venv/bin/python")
}

fn frames_version() -> anyhow::Result<String> {
    let script = "import duckdb, polars; print(f'polars {polars.__version__}, duckdb {duckdb.__version__}')";
    let output = Command::new(python()).args(["-c", script]).output();
    let output = output.ok().filter(|output| output.status.success()).with_context(|| {
        format!(
            "polars and duckdb are missing: `python3 -m venv target/benchmarks-venv`, then its \
             `bin/pip install -r {}` (`just bench` does both)",
            own_file("peers/requirements.txt").display()
        )
    })?;
    Ok(first_line(&output.stdout))
}

fn first_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    // wrk goes on with its copyright.
    line.split(" Copyright").next().unwrap_or_default().trim().to_owned()
}
