//! The threads together: who does what next, and what may be written.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::lister::Lister;
use super::order::{Finished, Order, Pick, Task, Todo};
use super::{Error, Tally};

/// Text is written in blocks of at least so many bytes: far beyond what a write costs by itself.
const BLOCK: usize = 256 << 10;

/// So many examples of what cannot be read are logged, at debug level.
const EXAMPLES: u32 = 10;

/// See the module.
pub(super) struct Crew<'a> {
    state: Mutex<State>,
    /// Something can be picked, or nothing is left.
    changed: Condvar,
    /// Locked before `state` is let go of, so that blocks are written in their order. A thread that comes with the next
    /// block waits with `state` locked, and with it all others: nobody runs ahead of a slow disk.
    output: Mutex<&'a mut (dyn Write + Send)>,
    stop: &'a AtomicBool,
}

struct State {
    order: Order,
    /// What is to be written next.
    text: Vec<u8>,
    tally: Tally,
    examples: u32,
    /// How many threads wait for `changed`.
    waiting: usize,
    /// Set: the walk is over, whatever is left.
    failed: Option<Error>,
}

impl<'a> Crew<'a> {
    /// A crew that is to list the root's entries, after `text`, which `tally` covers.
    pub(super) fn new(
        text: Vec<u8>,
        tally: Tally,
        stop: &'a AtomicBool,
        output: &'a mut (dyn Write + Send),
    ) -> Self {
        let order = Order::new(Todo::Task(Task::Directory(Vec::new())));
        let state = State { order, text, tally, examples: 0, waiting: 0, failed: None };
        Self { state: Mutex::new(state), changed: Condvar::new(), output: Mutex::new(output), stop }
    }

    /// One thread's part, until nothing is left.
    pub(super) fn work(&self, mut lister: Lister<'_>) {
        let mut state = lock(&self.state);
        while state.failed.is_none() {
            if self.stop.load(Ordering::Relaxed) {
                state.failed = Some(Error::Stopped);
                break;
            }
            match state.order.pick() {
                Pick::End => break,
                Pick::Wait => {
                    state.waiting += 1;
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                    state.waiting -= 1;
                }
                Pick::Task(number, task) => {
                    drop(state);
                    let (finished, tally) = lister.run(task);
                    state = self.finish(number, finished, tally);
                }
            }
        }
        drop(state);
        // Whoever waits is to see that it is over.
        self.changed.notify_all();
    }

    fn finish(&self, number: u64, finished: Finished, tally: Tally) -> MutexGuard<'_, State> {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        if let Some(example) = &tally.example
            && state.examples < EXAMPLES
        {
            state.examples += 1;
            tracing::debug!("cannot read {example}");
        }
        state.tally.add(tally);
        state.order.finish(number, finished, &mut state.text);
        if state.waiting > 0 && state.order.has_work_for_another() {
            self.changed.notify_one();
        }
        if state.text.len() < BLOCK {
            return guard;
        }
        let block = std::mem::take(&mut state.text);
        let mut output = lock(&self.output);
        drop(guard);
        let written = output.write_all(&block);
        drop(output);
        let mut guard = lock(&self.state);
        if let Err(error) = written {
            guard.failed.get_or_insert(Error::Write(error));
        }
        guard
    }

    /// Writes what is left, once all threads are done.
    ///
    /// # Errors
    /// The listing is not complete.
    pub(super) fn end(self) -> Result<Tally, Error> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(failed) = state.failed {
            return Err(failed);
        }
        let output = self.output.into_inner().unwrap_or_else(PoisonError::into_inner);
        output.write_all(&state.text).map_err(Error::Write)?;
        Ok(state.tally)
    }
}

/// A thread that panicked left what it held whole: nothing under a lock is changed in several steps that may panic.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
