//! What can go wrong on the volume.

use std::io;
use std::path::{Path, PathBuf};

/// A failure of the file protocol.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another worker has taken the claim over: nothing of the batch may be touched any more.
    #[error("claim `{claim}` was taken over by another worker")]
    Fenced {
        /// The directory that the claim had.
        claim: PathBuf,
    },
    /// Something else has the name of a directory of ours.
    #[error("`{path}` is no directory, and may lead out of the volume")]
    NoDirectory {
        /// What has the name.
        path: PathBuf,
    },
    /// A file-system call failed.
    #[error("failed to {act} `{path}`")]
    Io {
        /// What was tried, as a verb.
        act: &'static str,
        /// What it was tried on.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// Returns whether the batch belongs to another worker now.
    pub fn is_fenced(&self) -> bool {
        matches!(self, Error::Fenced { .. })
    }

    /// Returns whether another try is as bad: the rights are missing, or something else is in the way.
    pub(crate) fn is_for_good(&self) -> bool {
        match self {
            Error::Fenced { .. } => false,
            Error::NoDirectory { .. } => true,
            Error::Io { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
        }
    }

    /// Wraps itself for code that passes on [`io::Error`]s; [`Error::unwrap_io`] is the way back.
    pub(crate) fn into_io(self) -> io::Error {
        let kind = match &self {
            Error::Fenced { .. } => io::ErrorKind::Other,
            Error::NoDirectory { .. } => io::ErrorKind::NotADirectory,
            Error::Io { source, .. } => source.kind(),
        };
        // `Interrupted` would make every writer try again for ever.
        let kind = if kind == io::ErrorKind::Interrupted { io::ErrorKind::Other } else { kind };
        io::Error::new(kind, self)
    }

    /// What one of the volume's writers returned, who wrote to `path`.
    pub(crate) fn of_writer(error: io::Error, path: &Path) -> Self {
        let of_others = |source| Error::Io { act: "write", path: path.to_owned(), source };
        Error::unwrap_io(error).unwrap_or_else(of_others)
    }

    /// Takes the volume's error out of an [`io::Error`] that one of its writers returned.
    ///
    /// # Errors
    /// Gives the error back where it did not come from the volume.
    pub fn unwrap_io(error: io::Error) -> Result<Error, io::Error> {
        error.downcast::<Error>()
    }
}

/// Names what was tried on which path.
pub(crate) trait Context<T> {
    fn act(self, act: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T> Context<T> for io::Result<T> {
    fn act(self, act: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io { act, path: path.to_owned(), source })
    }
}

/// Why a directory cannot serve as the volume.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such directory.
    #[error("data directory `{path}` (--data-dir) cannot be opened")]
    Missing {
        /// The directory asked for.
        path: PathBuf,
        /// Why it cannot be opened.
        #[source]
        source: io::Error,
    },
    /// Inputs cannot be kept there.
    #[error("archive `{path}` (--archive) cannot {act}")]
    UnfitArchive {
        /// The directory asked for.
        path: PathBuf,
        /// What it cannot do.
        act: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Inputs that are kept there would be taken for what it holds otherwise.
    #[error(
        "archive `{path}` (--archive) is a data directory, or of one's `rejected` or `.pipe`: \
         a stage would take for its own what is kept there"
    )]
    ScannedArchive {
        /// The directory asked for.
        path: PathBuf,
    },
    /// It is something else than a directory.
    #[error("data directory `{path}` (--data-dir) is not a directory")]
    NotADirectory {
        /// The path asked for.
        path: PathBuf,
    },
    /// The volume cannot do what the protocol needs.
    #[error("data directory `{path}` (--data-dir) cannot be used: the volume cannot {act}")]
    Unfit {
        /// The directory asked for.
        path: PathBuf,
        /// What it cannot do.
        act: &'static str,
        /// What the attempt gave.
        #[source]
        source: io::Error,
    },
}
