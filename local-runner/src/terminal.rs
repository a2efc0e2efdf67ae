//! Standard output, and on a terminal a progress bar below it.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is printed, in one order for all who print.
#[derive(Clone)]
pub(crate) struct Terminal {
    bar: ProgressBar,
    output: Arc<Mutex<dyn Write + Send>>,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        // Nothing is drawn where standard error is no terminal.
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} documents");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let output = Above { bar: bar.clone() };
        Terminal { bar, output: Arc::new(Mutex::new(output)) }
    }

    /// Where json-to-api prints.
    pub(crate) fn output(&self) -> Arc<Mutex<dyn Write + Send>> {
        Arc::clone(&self.output)
    }

    /// A batch of so many documents is on its way.
    pub(crate) fn expect(&self, documents: u64) {
        self.bar.set_length(documents);
    }

    /// So many documents of it are delivered.
    pub(crate) fn progress(&self, delivered: u64) {
        self.bar.set_position(delivered);
    }

    /// Prints the line that ends a batch.
    pub(crate) fn print_summary(&self, line: &str) {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody reads any more: no reason to stop delivering.
        let _ = output.write_all(format!("\n{line}\n").as_bytes()).and_then(|()| output.flush());
    }
}

/// Standard output, printed above the progress bar.
struct Above {
    bar: ProgressBar,
}

impl Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bar.suspend(|| io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}
