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

use records::listing::text::is_month;
use records::quick::{array, copy_if_plain, digits, equal, head, is_either, is_plain, word};

/// How much more room than its own length a line takes, with what is copied too much.
pub(crate) const SLACK: usize = ROOM;

/// The columns before the path, and so much more that whole words can be copied.
type Head = [u8; 64];
const PATH: usize = 57;
/// The fields before the path take no more room, with what is copied too much.
const ROOM: usize = 80;
/// The blanks between the columns.
const GAPS: u64 = 1 << 10 | 1 << 15 | 1 << 24 | 1 << 33 | 1 << 34 | 1 << 43 | 1 << 47 | 1 << 50 | 1 << 56;
/// What would have to be quoted, among what is plain.
const SPECIAL: [u8; 2] = [b',', b'"'];

/// Writes the record of an ordinary line into `room`, and gives its length. None: it is not ordinary.
#[inline]
pub(crate) fn write(line: &[u8], room: &mut [u8]) -> Option<usize> {
    let path = line.get(PATH..).filter(|path| !path.is_empty())?;
    let mut short = [b' '; 64];
    let head: &Head = head(line, &mut short);
    let (blanks, digits) = (equal(head, b' '), digits(head));
    if blanks & GAPS != GAPS || !is_plain(head, SPECIAL) || !is_mode(head)? || !is_date(head, blanks, digits)
    {
        return None;
    }
    let links = number::<10, 5>(blanks, digits)?;
    let user = name::<16>(blanks)?;
    let group = name::<25>(blanks)?;
    let size = number::<35, 8>(blanks, digits)?;

    let record: &mut [u8; ROOM] = room.first_chunk_mut()?;
    let mut end = put::<16>(record, 0, head, 0, 10)?;
    end = put::<8>(record, end, head, 15 - links, links)?;
    end = put::<8>(record, end, head, 16, user)?;
    end = put::<8>(record, end, head, 25, group)?;
    end = put::<8>(record, end, head, 43 - size, size)?;
    end = put::<16>(record, end, head, 44, 12)?;
    if !copy_if_plain(path, room.get_mut(end..)?, SPECIAL) {
        return None;
    }
    end += path.len();
    *room.get_mut(end)? = b'\n';
    Some(end + 1)
}

/// Appends a column and a comma, and gives the new end. `N` bytes are copied however short the column is, since a fixed
/// number is copied fastest; what is too much gets overwritten.
#[inline(always)]
fn put<const N: usize>(
    record: &mut [u8; ROOM],
    end: usize,
    head: &Head,
    column: usize,
    length: usize,
) -> Option<usize> {
    *record.get_mut(end..)?.first_chunk_mut()? = *array::<N>(head, column)?;
    *record.get_mut(end + length)? = b',';
    Some(end + length + 1)
}

/// Whether the rights are usual ones: others are rare.
#[inline]
fn is_mode(head: &Head) -> Option<bool> {
    let kind = matches!(head[0], b'-' | b'd' | b'l' | b'b' | b'c' | b'p' | b's');
    let rights = is_either(word(head, 1)?, *b"rwxrwxrw", [b'-'; 8]);
    Some(kind & rights & matches!(head[9], b'x' | b'-' | b't'))
}

/// The length of a number that ends a column of `WIDTH`, behind nothing but blanks.
#[inline]
fn number<const COLUMN: usize, const WIDTH: usize>(blanks: u64, digits: u64) -> Option<usize> {
    let column = (1 << WIDTH) - 1;
    let (blanks, digits) = (blanks >> COLUMN & column, digits >> COLUMN & column);
    let is_number = blanks & (blanks + 1) == 0 && blanks ^ digits == column && digits != 0;
    is_number.then_some(WIDTH - blanks.trailing_ones() as usize)
}

/// The length of a name that begins a column of eight, before nothing but blanks.
#[inline]
fn name<const COLUMN: usize>(blanks: u64) -> Option<usize> {
    let name = !blanks >> COLUMN & 0xff;
    (name & (name + 1) == 0 && name != 0).then_some(name.trailing_ones() as usize)
}

/// Whether the date is like `Mar 19 23:57` or `Mar  9  2024`.
#[inline]
fn is_date(head: &Head, blanks: u64, digits: u64) -> bool {
    const DAY: usize = 48;
    let (blanks, digits) = (blanks >> DAY & 0xff, digits >> DAY & 0xff);
    let month = array(head, 44).is_some_and(|month| is_month(*month));
    let day = (blanks | digits) & 1 == 1;
    let time = digits & !1 == 0b1101_1010 && head[DAY + 5] == b':';
    let year = digits & !1 == 0b1111_0010 && blanks & 0b1000 != 0;
    month & day & (time | year)
}

#[cfg(test)]
mod tests;
