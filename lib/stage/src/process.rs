//! What a stage brings to the loop.

use std::io;

use records::Counts;
use volume::Batch;

use crate::pulse::Pulse;

/// What a stage does with a batch.
pub trait Process: Send + 'static {
    /// Reads the batch's input and writes its output and rejected lines, or delivers its documents.
    ///
    /// # Errors
    /// The batch is released as it is, and taken over by another replica or by this one.
    fn process(&mut self, batch: &mut Batch, pulse: &Pulse) -> Result<Counts, ProcessError>;
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
}

impl ProcessError {
    /// An error that a reader can return to have its batch released.
    pub(crate) fn released() -> io::Error {
        io::Error::other(ProcessError::Released)
    }
}

impl From<io::Error> for ProcessError {
    /// Finds what the volume's writers and the pulse wrapped; whatever else comes from a reader.
    fn from(error: io::Error) -> Self {
        volume::Error::unwrap_io(error).map_or_else(
            |error| error.downcast::<ProcessError>().unwrap_or_else(ProcessError::Input),
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
    }
}
