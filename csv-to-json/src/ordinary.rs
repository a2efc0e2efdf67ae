//! The ordinary record -> document, fast.
//!
//! Nearly every record is a line without a quote, of fields that need no escape and that, but for the
//! path, are short. Its commas are found eight bytes at a time, and its fields copied in whole words.
//! Any doubt leaves the line to the careful reader, `records::listing::csv`, which finds the same
//! fields in it.

use records::quick::{array, copy_if_plain, equal, head, is_plain};

/// How much more room than its own length a line takes, with what is copied too much.
pub(crate) const SLACK: usize = 128;

/// Holds the fields before the path, and so much more that whole words can be copied.
type Head = [u8; 64];

/// What would have to be escaped, or unquoted, among what is plain.
const SPECIAL: [u8; 2] = [b'"', b'\\'];

/// How many bytes are copied at once: no field but the path may be longer, nor what comes before.
const CHUNK: usize = 16;

/// What stands before a value, with its length.
type Before = ([u8; CHUNK], usize);
const BEFORE: [Before; 6] = [
    before("{\"mod\":\""),
    before("\",\"no\":\""),
    before("\",\"user\":\""),
    before("\",\"group\":\""),
    before("\",\"usrno\":\""),
    before("\",\"date\":\""),
];
const BEFORE_PATH: Before = before("\",\"file\":\"");
const AFTER_PATH: [u8; 3] = *b"\"}\n";

const fn before(text: &str) -> Before {
    let mut chunk = [0; CHUNK];
    let (start, _) = chunk.split_at_mut(text.len());
    start.copy_from_slice(text.as_bytes());
    (chunk, text.len())
}

/// Writes the document of an ordinary record into `room`, and gives its length. None: it is not
/// ordinary.
#[inline]
pub(crate) fn write(line: &[u8], room: &mut [u8]) -> Option<usize> {
    let mut short = [b' '; 64];
    let head: &Head = head(line, &mut short);
    if !is_plain(head, SPECIAL) {
        return None;
    }
    let mut commas = equal(head, b',');
    if commas.count_ones() != 6 {
        return None;
    }
    let (mut start, mut end) = (0, 0);
    for (before, length) in BEFORE {
        put(room, &mut end, before, length)?;
        let comma = commas.trailing_zeros() as usize;
        commas &= commas - 1;
        put(room, &mut end, *array(head, start)?, comma - start)?;
        start = comma + 1;
    }
    put(room, &mut end, BEFORE_PATH.0, BEFORE_PATH.1)?;
    let path = &line[start..];
    if !copy_if_plain(path, room.get_mut(end..)?, [SPECIAL[0], SPECIAL[1], b',']) {
        return None;
    }
    end += path.len();
    *room.get_mut(end..)?.first_chunk_mut()? = AFTER_PATH;
    Some(end + AFTER_PATH.len())
}

/// Appends the first `length` bytes of a chunk. All are copied, since a fixed number is copied
/// fastest; what is too much gets overwritten.
#[inline(always)]
fn put(room: &mut [u8], end: &mut usize, chunk: [u8; CHUNK], length: usize) -> Option<()> {
    *room.get_mut(*end..)?.first_chunk_mut()? = chunk;
    *end += length;
    (length <= CHUNK).then_some(())
}

#[cfg(test)]
mod tests;
