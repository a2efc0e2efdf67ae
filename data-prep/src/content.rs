//! A download's content: unpacked where it is compressed, and never more of it than `--max-bytes`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use bytesize::ByteSize;
use flate2::bufread::MultiGzDecoder;

/// What every gzip file begins with (RFC 1952), and no text does.
const MAGIC: [u8; 2] = [0x1f, 0x8b];
/// A file that is compressed itself may be compressed once more on its way.
const LAYERS: usize = 2;
const BLOCK: usize = 64 << 10;

/// There is more of it than may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is larger than {0} (--max-bytes) once it is unpacked")]
pub(crate) struct TooLarge(ByteSize);

/// Reads a download as it was before anyone compressed it. What its name and headers say is not asked: servers and files
/// disagree on who compressed what, and the first bytes tell.
///
/// The reader fails with [`TooLarge`] behind `limit`.
pub(crate) fn content(file: File, limit: ByteSize) -> io::Result<impl Read> {
    let mut reader: Box<dyn BufRead> = Box::new(BufReader::with_capacity(BLOCK, file));
    for _ in 0..LAYERS {
        if !reader.fill_buf()?.starts_with(&MAGIC) {
            break;
        }
        reader = Box::new(BufReader::with_capacity(BLOCK, MultiGzDecoder::new(reader)));
    }
    Ok(Limited { reader, left: limit.as_u64(), limit })
}

struct Limited<R> {
    reader: R,
    left: u64,
    limit: ByteSize,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.left =
            self.left.checked_sub(read as u64).ok_or_else(|| io::Error::other(TooLarge(self.limit)))?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8], limit: u64) -> io::Result<Vec<u8>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        let mut read = Vec::new();
        content(file, ByteSize::b(limit))?.read_to_end(&mut read)?;
        Ok(read)
    }

    #[test]
    fn compressed_once_twice_in_pieces_or_not_at_all_it_is_the_same() {
        let text = b"5.1,3.5,1.4,0.2,Iris-setosa\n".as_slice();
        let pieces = [gzip(&text[..7]), gzip(&text[7..])].concat();
        for served in [text.to_vec(), gzip(text), gzip(&gzip(text)), pieces] {
            assert_eq!(read(&served, text.len() as u64).unwrap(), text);
        }
        assert_eq!(read(b"", 0).unwrap(), b"");
    }

    #[test]
    fn more_than_may_be_is_an_error_also_where_it_is_packed_small() {
        let bomb = gzip(&gzip(&vec![b'0'; 50 << 20]));
        assert!(bomb.len() < 2_000, "{}", bomb.len());
        let error = read(&bomb, 1 << 20).unwrap_err();
        assert_eq!(error.to_string(), "it is larger than 1.0 MiB (--max-bytes) once it is unpacked");
        assert!(read(b"12345", 4).is_err());
    }

    #[test]
    fn what_is_cut_off_or_damaged_is_an_error() {
        let mut packed = gzip(b"some text that is long enough to be cut");
        assert!(read(&packed[..packed.len() - 9], 100).is_err());
        let middle = packed.len() / 2;
        packed[middle] ^= 0xff;
        assert!(read(&packed, 100).is_err());
    }
}
