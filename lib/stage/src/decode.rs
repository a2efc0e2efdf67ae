//! Unpacks what is compressed, within bounds.
//!
//! This is the one place that knows how a file is read that its name says is compressed: all stages read through it.

use std::fmt;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;
use volume::Compression;
use zstd::stream::read::Decoder as ZstdDecoder;

/// What is read of a compressed file at once.
const BLOCK: usize = 64 << 10;
/// So much may come of any file, however small: it is no harm, and a few lines that are alike are no attack.
const HARMLESS: u64 = 16 << 20;
/// The binary logarithm of the largest window that is kept to unpack Zstandard: 8 MiB, which RFC 8878 has every decoder
/// support (section 3.1.1.1.2), and `zstd` needs up to its level 19. The size of a frame's window is its writer's choice, up
/// to terabytes.
const WINDOW_LOG: u32 = 23;

/// Why a compressed file cannot be unpacked to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// Its end is missing.
    #[error("the compressed file is cut off")]
    CutOff,
    /// It is no such file, or not as it was written.
    #[error("the compressed file is damaged, or of another format than its name says: {0}")]
    Damaged(String),
    /// Unpacking it would take more memory than a stage has.
    #[error("the compressed file needs a window of more than 8 MiB: compress it without --ultra and --long")]
    LargeWindow,
    /// More comes of it than of any text.
    #[error("the compressed file unpacks to more than {ratio} times its size (--max-ratio)")]
    TooLarge {
        /// The setting.
        ratio: u32,
    },
}

/// What may come of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    ratio: u32,
    bytes: u64,
}

impl Limit {
    /// For a file of so many bytes.
    pub(crate) fn new(ratio: u32, size: u64) -> Self {
        Limit { ratio, bytes: HARMLESS.max(size.saturating_mul(ratio.into())) }
    }
}

/// Reads what `source`, all of it, is the compressed form of; what is not compressed is read as it is.
///
/// Where it cannot be unpacked the reader fails with [`Undecodable`]; errors of `source` are passed on unchanged. It can be
/// read on after [`ErrorKind::Interrupted`].
pub(crate) fn decoder(
    source: impl Read + Send + 'static,
    compression: Compression,
    limit: Limit,
) -> io::Result<Box<dyn Read + Send>> {
    if compression == Compression::None {
        return Ok(Box::new(source));
    }
    let source = NotEmpty { reader: BufReader::with_capacity(BLOCK, Tagged(source)), is_empty: true };
    let reader: Box<dyn Read + Send> = match compression {
        Compression::Gzip => Box::new(MultiGzDecoder::new(source)),
        _ => {
            let mut decoder = ZstdDecoder::with_buffer(source)?;
            decoder.window_log_max(WINDOW_LOG)?;
            Box::new(decoder)
        }
    };
    Ok(Box::new(Bounded { reader, limit, left: limit.bytes }))
}

/// Unpacks no more than may be, and tells what is wrong with the file from what is wrong with its source.
struct Bounded<R> {
    reader: R,
    limit: Limit,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer).map_err(untagged)?;
        let too_large = || io::Error::other(Undecodable::TooLarge { ratio: self.limit.ratio });
        self.left = self.left.checked_sub(read as u64).ok_or_else(too_large)?;
        Ok(read)
    }
}

/// Marks the errors of a source: a decoder passes them on among its own.
struct Tagged<R>(R);

impl<R: Read> Read for Tagged<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| io::Error::new(error.kind(), OfSource(error)))
    }
}

#[derive(Debug)]
struct OfSource(io::Error);

impl fmt::Display for OfSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for OfSource {}

fn untagged(error: io::Error) -> io::Error {
    let of_decoder = match error.downcast::<OfSource>() {
        Ok(OfSource(error)) => return error,
        Err(error) => error,
    };
    io::Error::other(match of_decoder.kind() {
        ErrorKind::UnexpectedEof => Undecodable::CutOff,
        // As the library has it for `ZSTD_error_frameParameter_windowTooLarge`.
        _ if of_decoder.to_string().contains("Frame requires too much memory") => Undecodable::LargeWindow,
        _ => Undecodable::Damaged(of_decoder.to_string()),
    })
}

/// A file without a byte is the beginning of any: one decoder takes it for nothing compressed, the other for cut off.
struct NotEmpty<R> {
    reader: R,
    is_empty: bool,
}

impl<R: BufRead> BufRead for NotEmpty<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let filled = self.reader.fill_buf()?;
        if filled.is_empty() && self.is_empty {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.is_empty = false;
        Ok(filled)
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
    }
}

impl<R: BufRead> Read for NotEmpty<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
