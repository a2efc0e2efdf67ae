//! A progress bar on a terminal; nothing elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How far the download is.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new() -> Self {
        // Nothing is drawn where standard error is no terminal.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        Progress(bar.with_style(style("{spinner} {binary_bytes} {binary_bytes_per_sec}")))
    }

    /// So many bytes are there, of so many where that is known.
    pub(crate) fn begin(&self, position: u64, total: Option<u64>) {
        self.0.set_position(position);
        if let Some(total) = total {
            self.0.set_length(total);
            self.0.set_style(style(
                "{wide_bar} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}",
            ));
        }
    }

    /// So many bytes are there.
    pub(crate) fn advance(&self, position: u64) {
        self.0.set_position(position);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
