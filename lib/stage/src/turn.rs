//! What a process may ask and tell while it has a batch in hand.

use std::time::Instant;

use service::{Health, Shutdown};
use traces::BatchSpan;
use volume::{Batch, Scanner};

use crate::input::{Heartbeat, Input};
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
    /// How many times its size a compressed file may unpack to.
    pub(crate) max_ratio: u32,
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

    /// Opens the batch's input at its start, unpacked where it is compressed.
    ///
    /// # Errors
    /// The system refuses another descriptor, or memory to unpack it with.
    pub fn input(&self, batch: &Batch) -> Result<Input, ProcessError> {
        let heartbeat = Heartbeat { health: self.health.clone(), shutdown: self.shutdown.clone() };
        Ok(Input::open(batch, self.max_ratio, heartbeat)?)
    }
}
