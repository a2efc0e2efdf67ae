//! Quick looks at bytes, eight or thirty-two at a time, for who takes a short way with ordinary lines.
//!
//! A word is eight bytes, the first one lowest. What takes a word expects ASCII in it, and says nothing
//! of use about other bytes.

/// How many bytes are looked at together: as wide as makes the compiler use vectors well.
const WIDTH: usize = 32;

/// The high bit of each byte of a word: set, it says that something holds for the byte.
pub const HIGH: u64 = repeat(0x80);

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

/// The same byte eight times.
pub const fn repeat(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// [`HIGH`] for each byte that is not `byte`.
#[inline]
pub const fn differs(word: u64, byte: u8) -> u64 {
    (word ^ repeat(byte)).wrapping_add(repeat(0x7f)) & HIGH
}

/// Whether a word has the form of `pattern`: a digit where that has `0`, anything where it has `?`,
/// and else the same.
#[inline]
pub const fn fits(word: u64, pattern: [u8; 8]) -> bool {
    let mut looked_at = [0; 8];
    // Added to the difference it reaches the high bit where the difference is too large.
    let mut complement = [0; 8];
    let mut at = 0;
    while at < 8 {
        (looked_at[at], complement[at]) = match pattern[at] {
            b'?' => (0, 0),
            b'0' => (0x80, 0x80 - 10),
            _ => (0x80, 0x80 - 1),
        };
        at += 1;
    }
    let difference = word ^ u64::from_le_bytes(pattern);
    let reached = difference.wrapping_add(u64::from_le_bytes(complement));
    reached & u64::from_le_bytes(looked_at) == 0
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
    fn ascii_is_compared_byte_by_byte() {
        for byte in 0..0x80_u8 {
            let word = u64::from_le_bytes([b'a', byte, b'a', b'a', b'a', b'a', b'a', byte]);
            let expected = if byte == b'a' { 0 } else { 0x8000_0000_0000_8000 };
            assert_eq!(differs(word, b'a'), expected);
            let word = u64::from_le_bytes([byte, b'1', b'2', b' ', b'x', b'3', b'4', b':']);
            assert!(fits(word, *b"?00 x00:"));
            assert_eq!(fits(word, *b"000 x00:"), byte.is_ascii_digit());
            assert_eq!(fits(word, *b"-00 x00:"), byte == b'-');
        }
    }
}
