//! CSV: `Entry` -> record, record -> `Entry`.
//!
//! As RFC 4180: a field is quoted only where it holds a comma, a quote, a carriage return or a line
//! feed. Ours ends lines in LF and has no header.
//!
//! Read is a little more: lines may end in CRLF, a byte order mark may come first, and a quote inside
//! a field that does not start with one stands for itself, as with other readers. Any seven fields
//! are a record: their contents are not judged, and someone's header of seven names is one too.
//! Blank lines are skipped.
//!
//! A quoted field may hold line feeds. Where such a record does not come out right, it is most likely
//! a stray quote that swallows lines; so only the line in which it starts is rejected, and reading
//! resumes at the line after. Lines are looked at again for that, but the work stays linear:
//! `csv/record.rs` says why.

use std::io::{self, Read};

use memchr::memchr;

use super::{Entry, Format, Writer};
use crate::encoding::{BYTE_ORDER_MARK, Encoding, is_blank, utf_8};
use crate::lines::{Line, Lines};
use crate::{Counts, Rejects, Unreadable};

mod record;

/// Appends the entry's record and a line feed.
pub fn write(entry: &Entry<'_>, output: &mut Vec<u8>) {
    for (at, field) in entry.fields().into_iter().enumerate() {
        if at > 0 {
            output.push(b',');
        }
        // A byte order mark at the start of a file would not be taken for a part of the field.
        if field.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n'))
            || at == 0 && field.starts_with(BYTE_ORDER_MARK)
        {
            write_quoted(field.as_bytes(), output);
        } else {
            output.extend_from_slice(field.as_bytes());
        }
    }
    output.push(b'\n');
}

fn write_quoted(field: &[u8], output: &mut Vec<u8>) {
    output.push(b'"');
    let mut rest = field;
    while let Some(quote) = memchr(b'"', rest) {
        output.extend_from_slice(&rest[..quote]);
        output.extend_from_slice(b"\"\"");
        rest = &rest[quote + 1..];
    }
    output.extend_from_slice(rest);
    output.push(b'"');
}

/// Reads CSV and writes the entries it finds. Errors of `input`, `rejects` and `writer` end the
/// reading and are passed on unchanged.
pub fn read(
    input: impl Read,
    rejects: &mut dyn Rejects,
    writer: &mut Writer<'_, impl Format>,
) -> io::Result<Counts> {
    let mut lines = Lines::new(input);
    let mut encoding = Encoding::default();
    let mut unquoted = String::new();
    let mut counts = Counts::default();
    while let Some(line) = lines.next_line_or_reject(rejects)? {
        let Line::Whole { number, bytes, .. } = line else {
            counts.rejected += 1;
            continue;
        };
        if number > 1 && encoding.may_be_utf_8() && writer.write_line(bytes)? {
            counts.ok += 1;
            continue;
        }
        let found = match encoding.strip_mark(number, bytes) {
            Ok(line) if is_blank(line) => continue,
            Ok(line) => {
                let mark = bytes.len() - line.len();
                entry_in_hand(&mut lines, mark, &mut unquoted)?
            }
            Err(why) => Err(why),
        };
        match found {
            Ok(entry) => {
                writer.write(&entry)?;
                counts.ok += 1;
            }
            Err(why) => {
                rejects.reject(number, &why.to_string(), lines.in_hand())?;
                counts.rejected += 1;
            }
        }
    }
    Ok(counts)
}

/// Reads the record that starts in the line in hand, after `mark` bytes. Makes the whole record the
/// line in hand, if it comes out right.
fn entry_in_hand<'a>(
    lines: &'a mut Lines<impl Read>,
    mark: usize,
    unquoted: &'a mut String,
) -> io::Result<Result<Entry<'a>, Unreadable>> {
    if memchr(b'"', &lines.in_hand()[mark..]).is_none() {
        return Ok(utf_8(&lines.in_hand()[mark..]).and_then(record::plain));
    }
    if let Err(why) = record::join(lines, mark)? {
        return Ok(Err(why));
    }
    let record = utf_8(&lines.in_hand()[mark..]);
    Ok(record.map(|record| record::quoted(record, unquoted)))
}

#[cfg(test)]
mod tests;
