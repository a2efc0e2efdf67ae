//! The ordinary line -> record, fast.
//!
//! Nearly every line is one as busybox and getdata print it, in fixed columns, of a path without
//! anything special:
//!
//! ```text
//! -r--------    1 root     root            19 Mar 19 23:57 /sys/module/sr_mod/sections/.init.text
//! 0         10    16       25       34        44           57
//! ```
//!
//! Its columns are looked at eight bytes at a time, and copied likewise. Any doubt leaves the line to
//! the careful reader, `records::listing::text`, which finds the same fields in it.

use std::ops::Range;

use records::listing::text::{is_mode, is_month};
use records::quick::{array, copy_if_plain, differs, fits, head, is_plain, repeat, word};

/// How much more room than its own length a line takes, with what is copied too much.
pub(crate) const SLACK: usize = 32;

/// The columns before the path, and so much more that whole words can be copied.
type Head = [u8; 64];
const PATH: usize = 57;
/// What would have to be quoted, among what is plain.
const SPECIAL: [u8; 2] = [b',', b'"'];

/// Writes the record of an ordinary line into `room`, and gives its length. None: it is not ordinary.
#[inline]
pub(crate) fn write(line: &[u8], room: &mut [u8]) -> Option<usize> {
    let path = line.get(PATH..).filter(|path| !path.is_empty())?;
    let mut short = [b' '; 64];
    let head: &Head = head(line, &mut short);
    let gaps = [10, 15, 24, 33, 34, 43, 56].map(|at| head[at] == b' ');
    if !is_plain(head, SPECIAL) || gaps != [true; 7] || !is_mode(array(head, 0)?) || !is_date(head) {
        return None;
    }
    // The first three bytes belong to the mode: the column has but five.
    let links = number(word(head, 7)? & !0xff_ffff | 0x20_2020)?;
    let user = name(word(head, 16)?)?;
    let group = name(word(head, 25)?)?;
    let size = number(word(head, 35)?)?;

    let mut end = 0;
    put::<16>(room, &mut end, head, 0..10)?;
    put::<8>(room, &mut end, head, 7 + links..15)?;
    put::<8>(room, &mut end, head, 16..16 + user)?;
    put::<8>(room, &mut end, head, 25..25 + group)?;
    put::<8>(room, &mut end, head, 35 + size..43)?;
    put::<16>(room, &mut end, head, 44..56)?;
    if !copy_if_plain(path, room.get_mut(end..)?, SPECIAL) {
        return None;
    }
    end += path.len();
    *room.get_mut(end)? = b'\n';
    Some(end + 1)
}

/// Appends a column and a comma. `N` bytes are copied however short the column is, since a fixed
/// number is copied fastest; what is too much gets overwritten.
#[inline(always)]
fn put<const N: usize>(room: &mut [u8], end: &mut usize, head: &Head, column: Range<usize>) -> Option<()> {
    *room.get_mut(*end..)?.first_chunk_mut()? = *array::<N>(head, column.start)?;
    *end += column.len();
    *room.get_mut(*end)? = b',';
    *end += 1;
    Some(())
}

/// How many blanks stand before a number that ends where the word ends.
#[inline]
fn number(word: u64) -> Option<usize> {
    let bytes = differs(word, b' ');
    let blanks = (bytes != 0).then(|| bytes.trailing_zeros() as usize / 8)?;
    // With zeros for blanks all of it is digits.
    let zeros = repeat(b'0' - b' ') & !(u64::MAX << (8 * blanks));
    fits(word | zeros, *b"00000000").then_some(blanks)
}

/// The length of a name that starts where the word starts and has only blanks after it.
#[inline]
fn name(word: u64) -> Option<usize> {
    let bytes = (differs(word, b' ') >> 7) * 0xff;
    let is_one_run = bytes & bytes.wrapping_add(1) == 0;
    (is_one_run && bytes != 0).then(|| bytes.trailing_ones() as usize / 8)
}

/// Whether the date is like `Mar 19 23:57` or `Mar  9  2024`.
#[inline]
fn is_date(head: &Head) -> bool {
    let (Some(month), Some(rest)) = (array(head, 44), word(head, 48)) else {
        return false;
    };
    let day = head[48] == b' ' || head[48].is_ascii_digit();
    let time_or_year = fits(rest, *b"?0 00:00") | fits(rest, *b"?0  0000");
    is_month(*month) & (head[47] == b' ') & day & time_or_year
}

#[cfg(test)]
mod tests;
