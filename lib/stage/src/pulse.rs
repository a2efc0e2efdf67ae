//! Liveness and shutdown, for whoever is at work on a batch.

use std::io::{self, Read};
use std::time::Instant;

use service::{Context, Health, Shutdown};

use crate::process::ProcessError;

/// Tells that work goes on, and whether it should.
#[derive(Clone)]
pub struct Pulse {
    health: Health,
    shutdown: Shutdown,
}

impl Pulse {
    pub(crate) fn new(context: &Context) -> Self {
        Pulse { health: context.health.clone(), shutdown: context.shutdown.clone() }
    }

    /// Progress was made: a stage without any for a while is taken for stuck.
    pub fn beat(&self, now: Instant) {
        self.health.beat(now);
    }

    /// Whether the stage is ready and alive.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Whether the program is to stop.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Makes each read of `input` a beat, and fails it once the shutdown's grace is over.
    pub(crate) fn reader<R: Read>(&self, input: R) -> impl Read {
        PulseReader { pulse: self.clone(), input }
    }
}

struct PulseReader<R> {
    pulse: Pulse,
    input: R,
}

impl<R: Read> Read for PulseReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.pulse.shutdown.grace_is_over() {
            return Err(ProcessError::released());
        }
        self.pulse.beat(Instant::now());
        self.input.read(buffer)
    }
}
