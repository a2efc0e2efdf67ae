//! A listing's CSV -> JSON, one document a line: the values strings, in the order of the fields.

use std::io::{self, BufWriter, Read, Write};

use memchr::memchr;

use super::{Entry, FIELDS};
use crate::csv_reader::CsvReader;
use crate::lines::{Line, Lines};
use crate::{BLOCK, Counts, Rejects};

/// Writes each record of the CSV that `input` holds as a JSON document; what is no record of seven fields goes to
/// `rejects`.
///
/// Errors of the three are passed on unchanged; what was written until then is an incomplete output.
pub fn csv_to_json(
    input: &mut dyn Read,
    output: &mut dyn Write,
    rejects: &mut dyn Rejects,
) -> io::Result<Counts> {
    convert(input, output, rejects, fast_path)
}

/// The same, with each line read with care.
#[cfg(any(test, fuzzing))]
pub fn csv_to_json_without_fast_path(
    input: &mut dyn Read,
    output: &mut dyn Write,
    rejects: &mut dyn Rejects,
) -> io::Result<Counts> {
    convert(input, output, rejects, |_, _| Ok(false))
}

fn convert<'a>(
    input: &mut dyn Read,
    output: &'a mut dyn Write,
    rejects: &mut dyn Rejects,
    fast_path: impl Fn(&[u8], &mut BufWriter<&'a mut dyn Write>) -> io::Result<bool>,
) -> io::Result<Counts> {
    let mut lines = Lines::new(input);
    let mut records = CsvReader::new(Some(FIELDS));
    let mut counts = Counts::default();
    let mut output = BufWriter::with_capacity(BLOCK, output);
    while let Some(line) = lines.next_line_or_reject(rejects)? {
        let Line::Whole { number, bytes, .. } = line else {
            counts.rejected += 1;
            continue;
        };
        if number > 1 && records.may_be_utf_8() && fast_path(bytes, &mut output)? {
            counts.ok += 1;
            continue;
        }
        match records.record_in_hand(number, &mut lines)? {
            Ok(Some(fields)) => {
                let mut fields = fields.iter();
                let entry = Entry::from_fields([(); FIELDS].map(|()| fields.next().unwrap_or_default()));
                serde_json::to_writer(&mut output, &entry)?;
                output.write_all(b"\n")?;
                counts.ok += 1;
            }
            Ok(None) => {}
            Err(why) => {
                rejects.reject(number, &why.to_string(), lines.in_hand())?;
                counts.rejected += 1;
            }
        }
    }
    output.flush()?;
    Ok(counts)
}

/// What stands before each value.
const BEFORE: [&str; FIELDS] = [
    "{\"mod\":\"",
    "\",\"no\":\"",
    "\",\"user\":\"",
    "\",\"group\":\"",
    "\",\"usrno\":\"",
    "\",\"date\":\"",
    "\",\"file\":\"",
];

/// Writes the document of a record on one line without quotes, of which no field needs an escape. False: nothing was
/// written, the line is to be read with care.
#[inline]
fn fast_path(line: &[u8], output: &mut impl Write) -> io::Result<bool> {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    // Not `all`, which would stop at the first: they are looked at many at a time.
    if !line.iter().fold(true, |plain, &byte| plain & is_plain(byte)) {
        return Ok(false);
    }
    let mut fields = [&b""[..]; FIELDS];
    let mut rest = line;
    for field in &mut fields[..FIELDS - 1] {
        let Some(comma) = rest.iter().position(|&byte| byte == b',') else {
            return Ok(false);
        };
        *field = &rest[..comma];
        rest = &rest[comma + 1..];
    }
    if memchr(b',', rest).is_some() {
        return Ok(false);
    }
    fields[FIELDS - 1] = rest;
    for (before, field) in BEFORE.into_iter().zip(fields) {
        output.write_all(before.as_bytes())?;
        output.write_all(field)?;
    }
    output.write_all(b"\"}\n")?;
    Ok(true)
}

#[cfg(test)]
mod tests;
