//! What a stage brings to the loop.

use std::io;
use std::time::Instant;

use records::Counts;
use volume::Batch;

use crate::decode::Undecodable;
use crate::turn::Turn;

/// What a stage does with a batch.
pub trait Process: Send + 'static {
    /// Reads the batch's input and writes its output and rejected lines, or delivers its documents.
    ///
    /// # Errors
    /// The batch is released as it is, and taken over by another replica or by this one.
    fn process(&mut self, batch: &mut Batch, turn: &Turn<'_>) -> Result<Outcome, ProcessError>;
}

/// How a turn at a batch ended.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing is left to do about any record.
    Done(Counts),
    /// All that is left waits until then, and others need not wait with it: they get their turn first.
    Resting {
        /// When something can be done about it again.
        until: Instant,
    },
}

/// Why a batch was not processed to its end.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program is to stop before the batch is done.
    #[error("the batch was released for the shutdown")]
    Released,
    /// The volume failed, or the batch was taken over.
    #[error(transparent)]
    Volume(#[from] volume::Error),
    /// The input could not be read.
    #[error("failed to read the input")]
    Input(#[source] io::Error),
    /// The input is compressed, and cannot be unpacked to its end. It is refused as a whole: the process has handed on
    /// nothing of it.
    #[error(transparent)]
    Undecodable(Undecodable),
    /// The process itself failed, or found its own state wrong.
    #[error("{0}")]
    Failed(String),
}

impl ProcessError {
    /// An error that a reader can return to have its batch released.
    pub(crate) fn released() -> io::Error {
        io::Error::other(ProcessError::Released)
    }

    /// Whether the volume has no room: then no other batch will fare better.
    pub(crate) fn is_full(&self) -> bool {
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = source {
            if let Some(error) = error.downcast_ref::<io::Error>() {
                return matches!(
                    error.kind(),
                    io::ErrorKind::StorageFull
                        | io::ErrorKind::QuotaExceeded
                        | io::ErrorKind::ReadOnlyFilesystem
                );
            }
            source = error.source();
        }
        false
    }
}

impl From<io::Error> for ProcessError {
    /// Finds what the volume's writers and the input's reader wrapped; whatever else comes from a reader.
    fn from(error: io::Error) -> Self {
        volume::Error::unwrap_io(error).map_or_else(
            |error| {
                let of_decoder = |error: io::Error| {
                    error.downcast().map_or_else(ProcessError::Input, ProcessError::Undecodable)
                };
                error.downcast::<ProcessError>().unwrap_or_else(of_decoder)
            },
            ProcessError::Volume,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart_by_their_origin() {
        assert!(matches!(ProcessError::from(ProcessError::released()), ProcessError::Released));
        assert!(matches!(ProcessError::from(io::Error::other("read")), ProcessError::Input(_)));
        let cut_off = io::Error::other(Undecodable::CutOff);
        assert!(matches!(ProcessError::from(cut_off), ProcessError::Undecodable(Undecodable::CutOff)));
    }

    #[test]
    fn a_full_volume_is_told_from_a_broken_one() {
        let error = |kind: io::ErrorKind| ProcessError::Input(io::Error::from(kind));
        assert!(error(io::ErrorKind::StorageFull).is_full());
        assert!(!error(io::ErrorKind::UnexpectedEof).is_full());
    }
}
