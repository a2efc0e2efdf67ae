//! Runs a pure conversion, from reader to writer, on a batch.

use std::io;

use records::{Conversion, Convert, Rejects};
use service::Context;
use volume::{Batch, RejectFiles, Spec};

use crate::process::{Outcome, Process, ProcessError};
use crate::turn::Turn;
use crate::{Config, Observer};

/// A stage that converts its input and needs nothing else.
#[derive(Debug, Clone, Copy)]
pub struct Converter<C = Conversion> {
    /// What it takes and gives.
    pub spec: Spec,
    /// What it makes of it.
    pub convert: C,
}

impl<C: Convert + Send + 'static> Converter<C> {
    /// Converts batches until the shutdown, or with `--once` until none is left.
    ///
    /// # Errors
    /// As [`run`](crate::run).
    pub async fn run<O: clap::Args>(
        self,
        config: Config<O>,
        context: Context,
        observer: Option<Observer>,
    ) -> anyhow::Result<()> {
        crate::run(self.spec, config.stage, self, context, observer).await
    }
}

impl<C: Convert + Send + 'static> Process for Converter<C> {
    fn process(&mut self, batch: &mut Batch, turn: &Turn<'_>) -> Result<Outcome, ProcessError> {
        let mut input = turn.input(batch)?;
        let mut rejects = ToFiles(&mut batch.rejected);
        Ok(Outcome::Done((self.convert)(&mut input, &mut batch.output, &mut rejects)?))
    }
}

/// What a conversion rejects, put into the volume's files.
pub struct ToFiles<'a>(pub &'a mut RejectFiles);

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
