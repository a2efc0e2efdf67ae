//! How a file is compressed: its name says so, and nothing else.

use crate::claim_directory::{INPUT, REASONS, REJECTED};

/// How a file is compressed, as the end of its name tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compression {
    /// It is not.
    #[default]
    None,
    /// By gzip (RFC 1952): `.gz`.
    Gzip,
    /// By Zstandard (RFC 8878): `.zst`.
    Zstd,
}

impl Compression {
    pub(crate) const ALL: [Compression; 3] = [Compression::None, Compression::Gzip, Compression::Zstd];

    /// What stands behind a format's extension.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
        }
    }

    /// Parts a name from what tells how the file is compressed.
    pub(crate) fn split(name: &str) -> (&str, Self) {
        let compressed = [Compression::Gzip, Compression::Zstd].into_iter();
        let mut parted = compressed.filter_map(|it| Some((name.strip_suffix(it.suffix())?, it)));
        parted.next().unwrap_or((name, Compression::None))
    }

    /// The name of such an input in a claim that had no owner before. A program that knows of no compression finds neither an input there nor
    /// anything that it would delete.
    pub(crate) fn input(self) -> &'static str {
        match self {
            Compression::None => INPUT,
            Compression::Gzip => "input-gz",
            Compression::Zstd => "input-zst",
        }
    }

    /// The name of such an input in a claim of this generation.
    pub(crate) fn input_of(self, generation: u32) -> String {
        match generation {
            1 => self.input().to_owned(),
            later => format!("{}-{later}", self.input()),
        }
    }

    /// What [`input_of`](Self::input_of) made a file's name of.
    pub(crate) fn parse_input(file: &str) -> Option<(u32, Self)> {
        Self::ALL.into_iter().find_map(|compression| {
            let rest = file.strip_prefix(compression.input())?;
            let generation = if rest.is_empty() { 1 } else { rest.strip_prefix('-')?.parse().ok()? };
            Some((generation, compression))
        })
    }

    /// The name in a claim of such an input that was refused as it stands.
    pub(crate) fn rejected(self) -> &'static str {
        match self {
            Compression::None => REJECTED,
            Compression::Gzip => "rejected-gz",
            Compression::Zstd => "rejected-zst",
        }
    }

    /// The name in a claim of the reason for that: a power cut may leave it alone there.
    pub(crate) fn reasons(self) -> &'static str {
        match self {
            Compression::None => REASONS,
            Compression::Gzip => "reasons-gz",
            Compression::Zstd => "reasons-zst",
        }
    }
}
