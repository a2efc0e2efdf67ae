//! Quick looks at bytes, many at a time, for who takes a short way with ordinary lines.
//!
//! A word is eight bytes, the first one lowest. What takes a word expects ASCII in it, and says nothing
//! of use about other bytes.

use wide::u8x16;

/// How many bytes are looked at together: as wide as makes the compiler use vectors well.
const WIDTH: usize = 32;

/// The high bit of each byte of a word: set, it says that something holds for the byte.
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// Whether all bytes are plain: ASCII, no control characters (delete is none here), and none of the
/// `special` ones.
#[inline]
pub fn is_plain<const L: usize, const N: usize>(bytes: &[u8; L], special: [u8; N]) -> bool {
    const { assert!(L.is_multiple_of(WIDTH)) };
    let mut odd = [0; WIDTH];
    for chunk in bytes.as_chunks().0 {
        find_odd(chunk, special, &mut odd);
    }
    odd == [0; WIDTH]
}

/// Copies `bytes` to the start of `copy`, and says whether they are [plain](is_plain) and there was room
/// for them.
#[inline]
pub fn copy_if_plain<const N: usize>(bytes: &[u8], copy: &mut [u8], special: [u8; N]) -> bool {
    let Some(copy) = copy.get_mut(..bytes.len()) else {
        return false;
    };
    let mut odd = [0; WIDTH];
    let (Some(last), Some(last_copy)) = (bytes.last_chunk(), copy.last_chunk_mut()) else {
        copy.copy_from_slice(bytes);
        return is_plain(head(bytes, &mut [b' '; WIDTH]), special);
    };
    find_odd(last, special, &mut odd);
    *last_copy = *last;
    for (chunk, copy) in bytes.as_chunks().0.iter().zip(copy.as_chunks_mut().0) {
        find_odd(chunk, special, &mut odd);
        *copy = *chunk;
    }
    odd == [0; WIDTH]
}

#[inline]
fn find_odd<const N: usize>(chunk: &[u8; WIDTH], special: [u8; N], odd: &mut [u8; WIDTH]) {
    for (&byte, odd) in chunk.iter().zip(odd) {
        // As a signed number every byte beyond ASCII is negative.
        let mut is_odd = byte.cast_signed() < 0x20;
        for special in special {
            is_odd |= byte == special;
        }
        *odd |= u8::from(is_odd);
    }
}

/// How many bytes a mask has a bit for.
pub const MASKED: usize = 64;

/// A bit for each byte that is `byte`, the first one lowest.
#[inline]
pub fn equal(bytes: &[u8; MASKED], byte: u8) -> u64 {
    mask(bytes, |lanes| lanes.simd_eq(u8x16::splat(byte)))
}

/// A bit for each byte that is an ASCII digit, the first one lowest.
#[inline]
pub fn digits(bytes: &[u8; MASKED]) -> u64 {
    mask(bytes, |lanes| lanes.max(u8x16::splat(b'0')).min(u8x16::splat(b'9')).simd_eq(lanes))
}

/// Compilers do not find the instruction that gathers bits by themselves.
#[inline(always)]
fn mask(bytes: &[u8; MASKED], test: impl Fn(u8x16) -> u8x16) -> u64 {
    let chunks = bytes.as_chunks().0.iter().rev();
    chunks.fold(0, |mask, chunk| mask << 16 | u64::from(test(u8x16::new(*chunk)).to_bitmask()))
}

/// The first `N` bytes; where there are fewer, those in `blanks`, which holds blanks.
#[inline]
pub fn head<'a, const N: usize>(bytes: &'a [u8], blanks: &'a mut [u8; N]) -> &'a [u8; N] {
    bytes.first_chunk().unwrap_or_else(|| {
        blanks[..bytes.len()].copy_from_slice(bytes);
        blanks
    })
}

/// `N` bytes from position `at` on.
#[inline]
pub fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..)?.first_chunk()
}

/// Eight bytes from position `at` on.
#[inline]
pub fn word(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(|bytes| u64::from_le_bytes(*bytes))
}

/// Whether each byte of a word is the one of `either` or the one of `or` at its place.
#[inline]
pub const fn is_either(word: u64, either: [u8; 8], or: [u8; 8]) -> bool {
    differs(word, either) & differs(word, or) == 0
}

/// The high bit of each byte that is not the one of `other` at its place.
#[inline]
const fn differs(word: u64, other: [u8; 8]) -> u64 {
    (word ^ u64::from_le_bytes(other)).wrapping_add(u64::from_le_bytes([0x7f; 8])) & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_plain_byte(byte: u8) -> bool {
        (0x20..0x80).contains(&byte) && byte != b',' && byte != b'"'
    }

    #[test]
    fn a_byte_that_is_not_plain_is_found_wherever_it_stands() {
        for length in 1..100 {
            for at in 0..length {
                for byte in [0, 0x1f, 0x20, 0x7f, 0x80, 0xff, b',', b'"', b'!', b'-'] {
                    let mut bytes = vec![b'x'; length];
                    bytes[at] = byte;
                    let mut copy = vec![0; length + 1];
                    assert_eq!(copy_if_plain(&bytes, &mut copy, [b',', b'"']), is_plain_byte(byte));
                    assert_eq!(copy, [&bytes[..], &[0]].concat());
                }
            }
        }
        assert!(copy_if_plain(b"", &mut [], [b',']));
        assert!(!copy_if_plain(b"ab", &mut [0], [b',']), "there is no room");
    }

    #[test]
    fn every_byte_is_known_as_plain_or_not() {
        for byte in 0..=u8::MAX {
            assert_eq!(is_plain(&[byte; 64], [b',', b'"']), is_plain_byte(byte));
        }
    }

    #[test]
    fn a_mask_has_a_bit_for_each_byte() {
        for at in 0..MASKED {
            for byte in 0..=u8::MAX {
                let mut bytes = [b'x'; MASKED];
                bytes[at] = byte;
                assert_eq!(digits(&bytes), u64::from(byte.is_ascii_digit()) << at);
                assert_eq!(equal(&bytes, b','), u64::from(byte == b',') << at);
                assert_eq!(equal(&bytes, byte), if byte == b'x' { u64::MAX } else { 1 << at });
            }
        }
    }

    #[test]
    fn ascii_is_compared_byte_by_byte() {
        for at in 0..8 {
            for byte in 0..0x80_u8 {
                let mut bytes = *b"r--r-xr-";
                bytes[at] = byte;
                let fits = byte == b'-' || byte == b"rwxrwxrw"[at];
                assert_eq!(is_either(u64::from_le_bytes(bytes), *b"rwxrwxrw", [b'-'; 8]), fits);
            }
        }
    }
}
