//! Runs a pure conversion, from reader to writer, on a batch.

use std::io::{self, Read, Write};

use records::{Counts, Rejects};
use volume::{Batch, RejectFiles};

use crate::process::{Outcome, Process, ProcessError};
use crate::turn::Turn;

/// A stage that converts its input and needs nothing else.
pub struct Converter(pub fn(&mut dyn Read, &mut dyn Write, &mut dyn Rejects) -> io::Result<Counts>);

impl Process for Converter {
    fn process(&mut self, batch: &mut Batch, turn: &Turn<'_>) -> Result<Outcome, ProcessError> {
        let mut input = turn.reader(&batch.input);
        let mut rejects = ToFiles(&mut batch.rejected);
        Ok(Outcome::Done((self.0)(&mut input, &mut batch.output, &mut rejects)?))
    }
}

struct ToFiles<'a>(&'a mut RejectFiles);

impl Rejects for ToFiles<'_> {
    fn start(&mut self, line: u64, reason: &str) -> io::Result<()> {
        self.0.start(line, reason)
    }

    fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.piece(bytes)
    }

    fn end(&mut self) -> io::Result<()> {
        self.0.end()
    }
}
