//! Prints the block of every delivered document, whole, in large writes, and never in the way of a delivery.
//!
//! Blocks gather in a buffer that a thread of its own writes out. Who prints while the buffer is full waits, see
//! [`Printer::room`]: standard output that nobody reads holds up documents, one that is closed or full does not.
//!
//! A document counts as answered for good only once its block is written, see [`Printer::written`]: a kill between the
//! two has it sent again, and printed.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout;
use tracing::{info, warn};

/// Where blocks are printed.
pub type Output = Arc<Mutex<dyn Write + Send>>;

const HEAD: &[u8] =
    b"--------------------------------------------------------------------\n\nPost doc to api: ";
/// No block waits for longer, as far as the output can follow.
const FLUSH_EVERY: Duration = Duration::from_millis(100);
/// So many bytes are written at once.
const FLUSH_AFTER: usize = 64 << 10;
/// So many bytes may wait before who prints has to.
const FULL: usize = 1 << 20;
/// How long an output that nobody reads may hold up the end of a batch, or its release.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);
/// How long an output that failed is left alone.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// How far the printing had come at some time, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark(u64);

/// The blocks on their way to the output.
#[derive(Default)]
pub(crate) struct Printer(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Wakes the thread.
    filled: Condvar,
    /// Wakes who waits for room, or for the end.
    written: Notify,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// How many bytes came since the start.
    come: u64,
    /// How many of them are written, or given up.
    gone: u64,
    /// When the first of `waiting` came.
    since: Option<Instant>,
    /// Nobody will ever read what is printed.
    closed: bool,
    /// What waits is to be written now.
    hurry: bool,
    ended: bool,
}

impl Printer {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(output: Output) -> io::Result<Self> {
        let printer = Printer::default();
        let shared = Arc::clone(&printer.0);
        let mut sink = Sink { output, paused: None, torn: false };
        thread::Builder::new().name("print".to_owned()).spawn(move || shared.write_to(&mut sink))?;
        Ok(printer)
    }

    /// Adds the block of a document to what is printed.
    pub(crate) fn print(&self, document: &[u8], reply: &[u8]) {
        let mut state = self.0.lock();
        if state.closed {
            return;
        }
        let before = state.waiting.len();
        block(document, reply, &mut state.waiting);
        state.come += (state.waiting.len() - before) as u64;
        let first = state.since.is_none();
        if first {
            state.since = Some(Instant::now());
        }
        // The thread is woken no more often than it has to be: a wake-up costs more than a block.
        if first || (before < FLUSH_AFTER && state.waiting.len() >= FLUSH_AFTER) {
            drop(state);
            self.0.filled.notify_one();
        }
    }

    /// Whether there is room for more.
    pub(crate) fn has_room(&self) -> bool {
        self.0.lock().waiting.len() < FULL
    }

    /// Waits until there is room for more.
    pub(crate) async fn room(&self) {
        self.0.wait_until(|state| state.waiting.len() < FULL).await;
    }

    /// What has been printed so far.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.0.lock().come)
    }

    /// Waits until all that was printed up to a mark is written, or given up.
    pub(crate) async fn written(&self, mark: Mark) {
        if self.0.hurry(mark) {
            self.0.wait_until(|state| state.gone >= mark.0).await;
        }
    }

    /// Waits until all that was printed is written, or given up.
    pub(crate) async fn flush(&self) {
        self.written(self.mark()).await;
    }

    /// As [`flush`](Self::flush), but no longer than whoever reads the output deserves.
    pub(crate) async fn flush_if_read(&self) {
        let _ = timeout(FLUSH_TIMEOUT, self.flush()).await;
    }
}

/// Waits until there is room for more; for ever without a printer.
pub(crate) async fn room(printer: Option<&Printer>) {
    match printer {
        Some(printer) => printer.room().await,
        None => std::future::pending().await,
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.filled.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait_until(&self, holds: impl Fn(&State) -> bool) {
        loop {
            // Made before the look: a write between the two is not missed.
            let written = self.written.notified();
            if holds(&self.lock()) {
                return;
            }
            written.await;
        }
    }

    /// Has what waits written at once; false: it was written already.
    fn hurry(&self, mark: Mark) -> bool {
        let mut state = self.lock();
        let waits = state.gone < mark.0;
        if waits && !state.hurry {
            state.hurry = true;
            self.filled.notify_one();
        }
        waits
    }

    /// The thread's life: until the printer is dropped and all is written.
    fn write_to(&self, sink: &mut Sink) {
        let mut buffer = Vec::new();
        while let Some(taken) = self.take(&mut buffer) {
            volume::failpoint("print blocks");
            let closed = !sink.write(&buffer);
            volume::failpoint("go on behind a print");
            buffer.clear();
            buffer.shrink_to(FULL);
            let mut state = self.lock();
            state.gone = taken;
            state.closed |= closed;
            if closed {
                state.waiting = Vec::new();
                state.since = None;
                state.gone = state.come;
            }
            drop(state);
            self.written.notify_waiters();
        }
    }

    /// Waits until it is time to write, and takes what waits; returns how far that reaches, `None` once it is over.
    fn take(&self, buffer: &mut Vec<u8>) -> Option<u64> {
        let mut state = self.lock();
        loop {
            let Some(since) = state.since else {
                if state.ended {
                    return None;
                }
                state.hurry = false;
                state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let rest = FLUSH_EVERY.saturating_sub(since.elapsed());
            if rest.is_zero() || state.hurry || state.ended || state.waiting.len() >= FLUSH_AFTER {
                state.since = None;
                state.hurry = false;
                std::mem::swap(&mut state.waiting, buffer);
                return Some(state.come);
            }
            state = self.filled.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// An output that may fail.
struct Sink {
    output: Output,
    /// It failed, and is left alone until then.
    paused: Option<Instant>,
    /// The last thing written was not a whole block.
    torn: bool,
}

impl Sink {
    /// Writes blocks, or drops them while the output fails; false: it is closed for good.
    fn write(&mut self, blocks: &[u8]) -> bool {
        if self.paused.is_some_and(|until| Instant::now() < until) {
            return true;
        }
        match self.try_write(blocks) {
            Ok(()) => {
                if self.paused.take().is_some() {
                    info!("documents are printed again");
                }
                true
            }
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                warn!("standard output is closed: documents are delivered and no longer printed");
                false
            }
            Err(error) => {
                if self.paused.is_none() {
                    warn!("standard output fails: documents are delivered and for now not printed: {error}");
                }
                self.paused = Some(Instant::now() + TRY_AGAIN);
                true
            }
        }
    }

    fn try_write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        if self.torn {
            output.write_all(b"\n")?;
        }
        while !bytes.is_empty() {
            match output.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // A pipe that someone has set to fail rather than wait.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    thread::sleep(Duration::from_millis(5))
                }
                Err(error) => return Err(error),
            }
            self.torn = !bytes.is_empty();
        }
        output.flush()
    }
}

/// Appends the block of a document: its JSON and the reply, each on one line.
fn block(document: &[u8], reply: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(HEAD);
    // JSON allows control characters of Unicode, and carriage returns between tokens.
    one_line(document, out);
    out.push(b'\n');
    one_line(reply.trim_ascii_end(), out);
    out.push(b'\n');
}

/// Appends text in which nothing breaks the line or steers a terminal: such characters are escaped as in JSON, bytes
/// that are not UTF-8 replaced.
pub(crate) fn one_line(text: &[u8], out: &mut Vec<u8>) {
    // All of it is looked at: that is faster than to stop early.
    if text.iter().fold(true, |all, byte| all & (b' '..=b'~').contains(byte)) {
        out.extend_from_slice(text);
        return;
    }
    for character in String::from_utf8_lossy(text).chars() {
        let escaped = match character {
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".to_owned(),
            '\t' => "\\t".to_owned(),
            '\u{2028}' | '\u{2029}' => format!("\\u{:04x}", u32::from(character)),
            other if other.is_control() => format!("\\u{:04x}", u32::from(other)),
            other => {
                out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
        };
        out.extend_from_slice(escaped.as_bytes());
    }
}

#[cfg(test)]
mod tests;
