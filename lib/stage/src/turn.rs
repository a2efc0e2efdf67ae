//! What a process may ask and tell while it has a batch in hand.

use std::io::{self, Read};
use std::time::Instant;

use service::{Health, Shutdown};
use traces::BatchSpan;
use volume::Scanner;

use crate::process::ProcessError;

/// A process's turn at a batch: liveness, shutdown, and who else waits.
pub struct Turn<'a> {
    /// What the probes are told.
    pub health: &'a Health,
    /// Whether the program is to stop.
    pub shutdown: &'a Shutdown,
    /// Its span, where turns are traced.
    pub(crate) span: Option<&'a BatchSpan>,
    /// The other work of this stage.
    pub(crate) scanner: &'a Scanner,
}

impl Turn<'_> {
    /// Says that progress was made: a stage without any for a while is taken for stuck.
    pub fn heartbeat(&self) {
        self.health.heartbeat(Instant::now());
    }

    /// The turn's span, where turns are traced.
    pub fn span(&self) -> Option<&BatchSpan> {
        self.span
    }

    /// Whether another file or batch could be worked on instead of this one.
    pub fn others_wait(&self) -> bool {
        self.scanner.others_wait()
    }

    /// Makes each read of `input` a heartbeat, and fails it once the program must let go of the batch.
    pub fn reader<R: Read>(&self, input: R) -> TurnReader<R> {
        TurnReader { health: self.health.clone(), shutdown: self.shutdown.clone(), input }
    }
}

/// See [`Turn::reader`]. Its errors are a [`ProcessError`]'s.
pub struct TurnReader<R> {
    health: Health,
    shutdown: Shutdown,
    input: R,
}

impl<R: Read> Read for TurnReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.shutdown.grace_is_over() {
            return Err(ProcessError::released());
        }
        self.health.heartbeat(Instant::now());
        self.input.read(buffer)
    }
}
