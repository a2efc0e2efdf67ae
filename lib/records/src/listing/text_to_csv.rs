//! A listing's text -> CSV.
//!
//! CSV as RFC 4180 has it: a field is quoted only where it holds a comma, a quote, a carriage return or a line feed. Lines
//! end in LF, there is no header.

use std::cell::RefCell;
use std::io::{self, BufWriter, Read, Write};

use super::text;
use crate::lines::{Line, Lines};
use crate::{BLOCK, Counts, Rejects, io_error};

/// Writes each entry of the listing that `input` holds as a CSV record; what is no entry goes to `rejects`.
///
/// Errors of the three are passed on unchanged; what was written until then is an incomplete output.
pub fn text_to_csv(
    input: &mut dyn Read,
    output: &mut dyn Write,
    rejects: &mut dyn Rejects,
) -> io::Result<Counts> {
    convert(input, output, rejects, fast_path)
}

/// The same, with each line read with care.
#[cfg(any(test, fuzzing))]
pub fn text_to_csv_without_fast_path(
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
    fast_path: impl Fn(&[u8], &mut Block<'a>) -> io::Result<bool>,
) -> io::Result<Counts> {
    let mut lines = Lines::new(input);
    let mut listing = text::Listing::default();
    let mut counts = Counts::default();
    let block = Shared(RefCell::new(Block::with_capacity(BLOCK, output)));
    let mut records = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(&block);
    while let Some(line) = lines.next_line_or_reject(rejects)? {
        let Line::Whole { number, bytes, .. } = line else {
            counts.rejected += 1;
            continue;
        };
        if listing.is_settled() && fast_path(bytes, &mut block.0.borrow_mut())? {
            counts.ok += 1;
            continue;
        }
        match listing.entry(number, bytes) {
            Ok(Some(entry)) => {
                records.write_record(entry.fields()).map_err(io_error)?;
                records.flush()?;
                counts.ok += 1;
            }
            Ok(None) => {}
            Err(why) => {
                rejects.reject(number, &why.to_string(), bytes)?;
                counts.rejected += 1;
            }
        }
    }
    drop(records);
    block.0.into_inner().flush()?;
    Ok(counts)
}

type Block<'a> = BufWriter<&'a mut dyn Write>;

/// What the CSV writer and the fast path write to by turns.
struct Shared<'a>(RefCell<Block<'a>>);

impl Write for &Shared<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    /// The CSV writer's way to hand over a record; it may wait here for more.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the record of a line whose columns are clear at a glance, and of which no field needs quotes. False: nothing
/// was written, the line is to be read with care.
#[inline]
fn fast_path(line: &[u8], output: &mut impl Write) -> io::Result<bool> {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'"';
    // Not `all`, which would stop at the first: they are looked at many at a time.
    if !line.iter().fold(true, |plain, &byte| plain & is_plain(byte)) {
        return Ok(false);
    }
    let Some([before_path @ .., path]) = text::plain_fields(line) else {
        return Ok(false);
    };
    for field in before_path {
        output.write_all(field)?;
        output.write_all(b",")?;
    }
    output.write_all(path)?;
    output.write_all(b"\n")?;
    Ok(true)
}

#[cfg(test)]
mod tests;
