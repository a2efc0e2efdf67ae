//! The peers that others provide: whether they are there, which version, and where to get them.

use std::process::Command;

use anyhow::bail;

/// A program that some rows need.
struct Tool {
    program: &'static str,
    /// The Debian package that has it.
    package: &'static str,
    /// What makes it say its version.
    version: &'static [&'static str],
}

const TOOLS: [Tool; 5] = [
    Tool { program: "cp", package: "coreutils", version: &["--version"] },
    Tool { program: "mawk", package: "mawk", version: &["-W", "version"] },
    Tool { program: "find", package: "findutils", version: &["--version"] },
    Tool { program: "wrk", package: "wrk", version: &["-v"] },
    Tool { program: "syslog-ng", package: "syslog-ng-core syslog-ng-mod-http", version: &["--version"] },
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
    Ok(versions)
}

fn first_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    // wrk goes on with its copyright.
    line.split(" Copyright").next().unwrap_or_default().trim().to_owned()
}
