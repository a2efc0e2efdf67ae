//! How people compress files.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

/// A format that the stages unpack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// As `gzip` does.
    Gzip,
    /// As `zstd` does.
    Zstd,
}

impl Packing {
    /// All of them.
    pub const ALL: [Packing; 2] = [Packing::Gzip, Packing::Zstd];

    /// What the names of such files end in.
    pub fn suffix(self) -> &'static str {
        match self {
            Packing::Gzip => ".gz",
            Packing::Zstd => ".zst",
        }
    }

    /// Compresses some bytes: a member, or a frame, of a file that may have several.
    ///
    /// # Panics
    /// Never: memory can be written to.
    pub fn pack(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Packing::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Packing::Zstd => zstd::encode_all(bytes, 3).unwrap(),
        }
    }
}
