//! Where the figures come from.

use std::fs;
use std::path::Path;
use std::process::Command;

/// How many processes wanted to run in the last minute.
pub(crate) fn load() -> String {
    let averages = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    averages.split(' ').next().unwrap_or_default().to_owned()
}

/// Lines about the machine, and the disk that a directory is on; `load` as it was before the work.
pub(crate) fn describe(directory: &Path, load: &str) -> Vec<String> {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let processor = value("/proc/cpuinfo", "model name").unwrap_or_default();
    let memory =
        value("/proc/meminfo", "MemTotal").and_then(|kib| kib.strip_suffix(" kB")?.parse::<u64>().ok());
    let system = rustix::system::uname();
    vec![
        format!("{processor}, {cores} cores, of which the first two are used"),
        format!("{} GiB of memory", memory.unwrap_or_default() >> 20),
        format!("{} {}", system.sysname().to_string_lossy(), system.release().to_string_lossy()),
        format!("file system: {}", file_system(directory)),
        format!("load before the first round: {load}"),
        format!("compiler: {}", said(Command::new("rustc").arg("--version"))),
        format!("sources: {}", said(Command::new("git").args(["describe", "--always", "--dirty"]))),
    ]
}

/// The most memory that this process has had so far, in MiB. A child begins as a copy of it, and is never told to have had
/// less.
pub(crate) fn own_peak_mebibytes() -> u64 {
    let peak =
        value("/proc/self/status", "VmHWM").and_then(|kib| kib.strip_suffix(" kB")?.parse::<u64>().ok());
    peak.unwrap_or_default() >> 10
}

/// The value of the first line of a name in a file of `/proc`.
fn value(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn file_system(directory: &Path) -> String {
    said(Command::new("stat").args(["--file-system", "--format", "%T"]).arg(directory))
}

fn said(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_owned()
}
