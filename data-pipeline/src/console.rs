//! What a run says: lines on standard output, and bars on standard error where that is a terminal.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Where a run says how it goes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Console {
    /// Hidden where standard error is no terminal.
    bars: MultiProgress,
}

impl Console {
    /// Prints a line. A standard output that nobody reads fails no run.
    pub(crate) fn line(&self, line: impl Display) {
        // Names of files and messages of servers come this way.
        let line: String =
            line.to_string().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        self.bars.suspend(|| {
            let _ = writeln!(io::stdout(), "{line}");
        });
    }

    /// A bar that counts bytes.
    pub(crate) fn bytes(&self, name: &str, total: Option<u64>) -> ProgressBar {
        let template = if total.is_some() {
            "{prefix} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}"
        } else {
            "{prefix} {spinner} {bytes} {bytes_per_sec}"
        };
        self.bar(name, total, template)
    }

    /// A bar that counts what is done, of a total that is known or not.
    pub(crate) fn count(&self, name: &str, total: Option<u64>) -> ProgressBar {
        let template = if total.is_some() {
            "{prefix} {wide_bar} {pos}/{len}"
        } else {
            "{prefix} {spinner} {human_pos} records"
        };
        self.bar(name, total, template)
    }

    fn bar(&self, name: &str, total: Option<u64>, template: &str) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::no_length());
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_style(ProgressStyle::with_template(template).expect("the templates above are well formed"));
        bar.set_prefix(name.to_owned());
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        bar
    }
}
