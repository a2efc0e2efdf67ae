use std::io::Write as _;

use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

const TEXT: &[u8] = b"-r--r--r--    1 root     root            19 Mar 19 23:57 /sys/kernel/irq/7/type\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

type Encode = fn(&[u8]) -> Vec<u8>;

/// The two formats, each with a way to write it.
const FORMATS: [(Compression, Encode); 2] = [(Compression::Gzip, gzip), (Compression::Zstd, zstd)];

/// Gives a few bytes at a time.
struct Dripping {
    bytes: io::Cursor<Vec<u8>>,
    most: usize,
}

impl Read for Dripping {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.most.min(buffer.len());
        self.bytes.read(&mut buffer[..most])
    }
}

fn decode_by(bytes: &[u8], compression: Compression, ratio: u32, most: usize) -> io::Result<Vec<u8>> {
    let source = Dripping { bytes: io::Cursor::new(bytes.to_vec()), most };
    let mut decoded = Vec::new();
    decoder(source, compression, Limit::new(ratio, bytes.len() as u64))?.read_to_end(&mut decoded)?;
    Ok(decoded)
}

fn decode(bytes: &[u8], compression: Compression) -> Result<Vec<u8>, Undecodable> {
    decode_by(bytes, compression, 1_000, usize::MAX).map_err(|error| error.downcast().unwrap())
}

#[test]
fn what_is_not_compressed_is_read_as_it_is() {
    for bytes in [b"".as_slice(), TEXT, &gzip(TEXT)] {
        assert_eq!(decode(bytes, Compression::None).unwrap(), bytes);
    }
}

#[test]
fn a_file_of_several_members_or_frames_is_read_to_its_end() {
    for (compression, encode) in FORMATS {
        let members = [encode(TEXT), encode(b""), encode(&TEXT[..7]), encode(TEXT)].concat();
        assert_eq!(decode(&members, compression).unwrap(), [TEXT, &TEXT[..7], TEXT].concat());
    }
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_told_as_such() {
    for (compression, encode) in FORMATS {
        let whole = encode(TEXT);
        for length in 0..whole.len() {
            let cut = decode(&whole[..length], compression);
            assert_eq!(cut, Err(Undecodable::CutOff), "{compression:?}, {length} of {} bytes", whole.len());
        }
    }
}

#[test]
fn a_file_of_another_format_and_what_stands_behind_one_is_damage() {
    for (compression, encode) in FORMATS {
        for wrong in [TEXT.to_vec(), [encode(TEXT), TEXT.to_vec()].concat()] {
            let decoded = decode(&wrong, compression);
            assert!(matches!(decoded, Err(Undecodable::Damaged(_))), "{compression:?}: {decoded:?}");
        }
    }
    assert!(matches!(decode(&gzip(TEXT), Compression::Zstd), Err(Undecodable::Damaged(_))));
}

/// The checksum at the end tells of damage that unpacks.
#[test]
fn a_wrong_checksum_is_damage() {
    let mut whole = gzip(TEXT);
    let at = whole.len() - 8;
    whole[at] ^= 1;
    assert!(matches!(decode(&whole, Compression::Gzip), Err(Undecodable::Damaged(_))));
}

#[test]
fn a_bomb_is_given_up_at_the_ratio_and_no_small_file_is_one() {
    let small = vec![b'0'; usize::try_from(HARMLESS).unwrap()];
    for (compression, encode) in FORMATS {
        assert_eq!(decode_by(&encode(&small), compression, 1, usize::MAX).unwrap(), small);
        let bomb = encode(&[small.as_slice(), b"0"].concat());
        let mut read = 0;
        let mut reader = decoder(io::Cursor::new(bomb.clone()), compression, Limit::new(7, 1 << 20)).unwrap();
        let error = loop {
            match reader.read(&mut [0; 4096]) {
                Ok(bytes) => read += bytes as u64,
                Err(error) => break error,
            }
        };
        assert!(read <= HARMLESS, "{read}");
        let why: Undecodable = error.downcast().unwrap();
        assert_eq!(why, Undecodable::TooLarge { ratio: 7 });
        assert!(why.to_string().ends_with("more than 7 times its size (--max-ratio)"));
        // The ratio is of all of the file, and what is below it is no bomb.
        let ratio = u32::try_from((small.len() + 1).div_ceil(bomb.len())).unwrap();
        assert_eq!(decode_by(&bomb, compression, ratio, usize::MAX).unwrap().len(), small.len() + 1);
        assert!(decode_by(&bomb, compression, ratio - 1, usize::MAX).is_err());
    }
}

#[test]
fn a_window_is_as_large_as_every_decoder_supports_and_no_larger() {
    for (log, fits) in [(WINDOW_LOG, true), (WINDOW_LOG + 1, false), (27, false)] {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(log).unwrap();
        // What is known to be short gets a short window.
        encoder.write_all(TEXT).unwrap();
        encoder.flush().unwrap();
        encoder.write_all(TEXT).unwrap();
        let decoded = decode(&encoder.finish().unwrap(), Compression::Zstd);
        let expected = if fits { Ok(TEXT.repeat(2)) } else { Err(Undecodable::LargeWindow) };
        assert_eq!(decoded, expected, "2^{log} bytes");
    }
}

/// Fails once, after some bytes.
struct Failing(Option<io::Error>, io::Cursor<Vec<u8>>);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let some = buffer.len().min(5);
        match self.1.position() >= 5 {
            true => self.0.take().map_or_else(|| self.1.read(&mut buffer[..some]), Err),
            false => self.1.read(&mut buffer[..some]),
        }
    }
}

#[test]
fn an_error_of_the_source_is_no_damage_and_after_an_interruption_it_reads_on() {
    for (compression, encode) in FORMATS {
        let read = |error: io::Error| {
            let source = Failing(Some(error), io::Cursor::new(encode(TEXT)));
            let mut decoded = Vec::new();
            decoder(source, compression, Limit::new(1, 1))?.read_to_end(&mut decoded)?;
            Ok::<_, io::Error>(decoded)
        };
        let failed = read(io::Error::from_raw_os_error(EIO)).unwrap_err();
        assert_eq!(failed.raw_os_error(), Some(EIO), "{failed:?}");
        assert_eq!(read(ErrorKind::Interrupted.into()).unwrap(), TEXT);
    }
}

/// On every Linux.
const EIO: i32 = 5;

proptest! {
    #[test]
    fn whatever_is_compressed_is_read_again_whatever_the_pieces(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..5),
        most in 1..500_usize,
    ) {
        for (compression, encode) in FORMATS {
            let encoded: Vec<u8> = pieces.iter().flat_map(|piece| encode(piece)).collect();
            prop_assert_eq!(decode_by(&encoded, compression, 1, most).unwrap(), pieces.concat());
        }
    }

    #[test]
    fn any_bytes_are_read_or_told_to_be_wrong(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..60_usize) {
        for (compression, encode) in FORMATS {
            let mut damaged = encode(TEXT);
            let end = damaged.len().min(at + bytes.len());
            damaged.splice(at.min(end)..end, bytes.iter().copied());
            for input in [&bytes, &damaged] {
                // It says why where it cannot.
                let _: Result<Vec<u8>, Undecodable> = decode(input, compression);
            }
        }
    }
}
