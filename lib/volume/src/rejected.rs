//! The lines that a stage refused, byte for byte, and their reasons beside them.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use crate::claim::{Claim, REASONS, REJECTED};
use crate::error::{Context, Error};
use crate::fs::NewFile;
use crate::publish;

/// The two files of a batch's rejected lines, made when the first is rejected.
///
/// A line is begun with [`start`](Self::start), given in pieces and ended with [`end`](Self::end).
/// The reasons hold a line each: the line's number in the input, a colon, the reason.
#[derive(Debug)]
pub struct RejectFiles {
    lines: PathBuf,
    reasons: PathBuf,
    open: Option<(BufWriter<NewFile>, BufWriter<NewFile>)>,
}

impl RejectFiles {
    pub(crate) fn new(claim: &Claim) -> Self {
        RejectFiles { lines: claim.own_path(REJECTED), reasons: claim.own_path(REASONS), open: None }
    }

    /// Begins a rejected line; `line` counts from 1.
    ///
    /// # Errors
    /// The volume's error, wrapped: see [`Error::unwrap_io`].
    pub fn start(&mut self, line: u64, reason: &str) -> io::Result<()> {
        if self.open.is_none() {
            let create = |path: &PathBuf| NewFile::create(path).act("create", path).map_err(Error::into_io);
            self.open = Some((BufWriter::new(create(&self.lines)?), BufWriter::new(create(&self.reasons)?)));
        }
        let path = &self.reasons;
        let Some((_, reasons)) = &mut self.open else { return Ok(()) };
        // A reason is one line, whatever it quotes.
        let reason = reason.replace(|c: char| c.is_control(), " ");
        writeln!(reasons, "{line}: {reason}").act("write", path).map_err(Error::into_io)
    }

    /// Adds to the line begun.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        let path = &self.lines;
        let Some((lines, _)) = &mut self.open else { return Ok(()) };
        lines.write_all(bytes).act("write", path).map_err(Error::into_io)
    }

    /// Ends the line begun.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn end(&mut self) -> io::Result<()> {
        self.piece(b"\n")
    }

    /// Makes both files durable and gives them their names in the claim; returns whether there are any.
    pub(crate) fn name(self, claim: &Claim) -> Result<bool, Error> {
        let Some((lines, reasons)) = self.open else { return Ok(false) };
        for (writer, own, name) in [(reasons, self.reasons, REASONS), (lines, self.lines, REJECTED)] {
            let file = writer.into_inner().map_err(io::IntoInnerError::into_error).act("write", &own)?;
            file.sync().act("sync", &own)?;
            publish::rename(&own, &claim.path(name)).act("rename", &own)?;
        }
        Ok(true)
    }
}
