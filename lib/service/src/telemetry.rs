use std::io::{self, IsTerminal, Write};
use std::mem::ManuallyDrop;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::settings::{LogArgs, LogFormat};

/// As many lines wait for a reader of standard error; further ones are dropped.
const MAX_WAITING: usize = 4096;

/// How long what waits may take to be written at the end.
const FLUSH_WITHIN: Duration = Duration::from_millis(500);

/// Not a line of diagnostics: says that all before it is written.
const FLUSH: &[u8] = b"\x1c";

/// None before telemetry has started.
static WRITER: Mutex<Option<Writer>> = Mutex::new(None);

/// Sends diagnostics to standard error from now on, through a thread of its own: nobody waits for who does not read them.
pub(crate) fn start(log: &LogArgs) -> anyhow::Result<()> {
    let filter =
        filter(&log.rust_log).with_context(|| format!("failed to read `--rust-log {}`", log.rust_log))?;
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let writer = Writer::new(io::stderr());
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer.lines.clone())
        .with_ansi(io::stderr().is_terminal() && !no_color)
        // Else a line that cannot be written is reported with `eprintln!`, which panics where standard error is closed.
        .log_internal_errors(false);
    let started = match log.log_format {
        LogFormat::Text => subscriber.try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow!(error).context("failed to start telemetry"))?;
    *WRITER.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
    Ok(())
}

/// Writes out what waits, as far as somebody reads it in time.
pub(crate) fn flush() {
    if let Some(writer) = &*WRITER.lock().unwrap_or_else(PoisonError::into_inner) {
        writer.flush();
    }
}

/// What `text` lets through. h2 warns of each connection that misbehaves, which clients can make it do thousands of times:
/// who wants to see that asks for more than `info`, or for h2.
pub(crate) fn filter(text: &str) -> Result<EnvFilter, ParseError> {
    let filter = EnvFilter::builder().parse(text)?;
    if !matches!(filter.max_level_hint(), Some(LevelFilter::INFO | LevelFilter::WARN)) {
        return Ok(filter);
    }
    EnvFilter::builder().parse(format!("h2=error,{text}"))
}

/// The thread that writes lines, seen from the others.
struct Writer {
    lines: NonBlocking,
    flushed: Receiver<()>,
    /// Never dropped: where nobody reads, that would write to standard output, which is not for diagnostics.
    _guard: ManuallyDrop<WorkerGuard>,
}

impl Writer {
    fn new(out: impl Write + Send + 'static) -> Self {
        let dropped = Arc::new(OnceLock::new());
        let (flush, flushed) = channel();
        let written = Lines { out, dropped: Arc::clone(&dropped), told: 0, flush };
        let (lines, guard) =
            NonBlockingBuilder::default().lossy(true).buffered_lines_limit(MAX_WAITING).finish(written);
        // Never set before.
        let _ = dropped.set(lines.error_counter());
        Self { lines, flushed, _guard: ManuallyDrop::new(guard) }
    }

    fn flush(&self) {
        // Neither fails but where nobody reads.
        let _ = self.lines.clone().write(FLUSH);
        let _ = self.flushed.recv_timeout(FLUSH_WITHIN);
    }
}

/// Where lines go, and whether some could not.
struct Lines<W> {
    out: W,
    dropped: Arc<OnceLock<ErrorCounter>>,
    told: usize,
    flush: Sender<()>,
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if line == FLUSH {
            // Fails where nobody waits for it any more.
            let _ = self.flush.send(());
            return Ok(line.len());
        }
        let written = self.out.write(line)?;
        let dropped = self.dropped.get().map_or(0, ErrorCounter::dropped_lines);
        if dropped > self.told {
            let lines = dropped - self.told;
            self.told = dropped;
            // Waits with the other lines, where there is room for one now.
            tracing::warn!(lines, "diagnostics that nobody read were dropped");
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Standard error that nobody reads as long as the test goes on.
    struct Unread(Receiver<()>);

    impl Write for Unread {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Standard error whose lines are counted.
    struct Read(Sender<()>);

    impl Write for Read {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.0.send(());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_dropped_is_counted_and_told_once() {
        let (_end, unread) = channel();
        let mut writer = Writer::new(Unread(unread));
        // One is in the writer's hand at most.
        for _ in 0..MAX_WAITING + 10 {
            writer.lines.write_all(b"a line\n").unwrap();
        }
        // It gives up.
        writer.flush();
        let counter = writer.lines.error_counter();
        let dropped = counter.dropped_lines();
        assert!((10..=11).contains(&dropped), "{dropped}");

        let dropped_lines = Arc::new(OnceLock::from(counter));
        let mut lines = Lines { out: io::sink(), dropped: dropped_lines, told: 0, flush: channel().0 };
        let (mut log, writer) = io::pipe().unwrap();
        let subscriber = tracing_subscriber::fmt().with_writer(Mutex::new(writer)).with_ansi(false).finish();
        tracing::subscriber::with_default(subscriber, || {
            lines.write_all(b"a line\n").unwrap();
            lines.write_all(b"another\n").unwrap();
        });
        let log = io::read_to_string(&mut log).unwrap();
        assert!(
            log.ends_with(&format!("diagnostics that nobody read were dropped lines={dropped}\n")),
            "{log}"
        );
        assert_eq!(log.lines().count(), 1, "{log}");
    }

    #[test]
    fn what_waits_is_written_once_it_is_flushed() {
        let (written, lines) = channel();
        let mut writer = Writer::new(Read(written));
        for _ in 0..100 {
            writer.lines.write_all(b"a line\n").unwrap();
        }
        writer.flush();
        assert_eq!(lines.try_iter().count(), 100);
    }

    #[test]
    fn h2_warns_only_where_it_is_asked_to() {
        let shown = |text: &str| filter(text).unwrap().to_string();
        assert_eq!(shown("info"), "h2=error,info");
        assert_eq!(shown("warn,h2=warn"), "h2=warn,warn");
        assert_eq!(shown("trace"), "trace");
        assert_eq!(shown("off"), "off");
        assert!(filter("a=b=c").is_err());
    }
}
