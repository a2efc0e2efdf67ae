//! One record: where it ends, and its fields.
//!
//! Finding the end is linear in the file, however hostile it is, although lines are looked at again
//! after a record that did not come out right. A line is read on from only if, read as the start of
//! a record, it ends inside a quoted field. Inside someone else's record such a line always ends at
//! least one field: where it does not, its quotes all come in pairs, and pairs never leave a field
//! open that was opened in the same line. And a record that has more than seven fields is not read
//! beyond its line. So no line is looked at more than eight times.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter};

use crate::Unreadable;
use crate::lines::Lines;
use crate::listing::{Entry, FIELDS};

/// Joins to the line in hand the lines that the record starting there, after `mark` bytes, goes on
/// in, and makes all of it the line in hand. Where the record does not come out right the line in
/// hand stays as it was.
pub(super) fn join(lines: &mut Lines<impl Read>, mark: usize) -> io::Result<Result<(), Unreadable>> {
    let mut scan = Scan::default();
    let mut scanned = scan.line(&lines.in_hand()[mark..]);
    while let Ok(Next::SameRecord) = scanned {
        if scan.fields > FIELDS {
            let found = scan.fields;
            return Ok(Err(Unreadable::FieldsAndOpenQuote { found }));
        }
        scanned = match lines.join()? {
            Some(line) => scan.line(line).map_err(|_| Unreadable::OpenQuote),
            None => Err(Unreadable::OpenQuote),
        };
    }
    Ok(match scanned {
        Ok(_) if scan.fields == FIELDS => {
            lines.keep_joined();
            Ok(())
        }
        Ok(_) => Err(Unreadable::Fields { found: scan.fields }),
        Err(why) => Err(why),
    })
}

/// What is known of a record after some of its lines.
struct Scan {
    /// How many have begun.
    fields: usize,
    in_quotes: bool,
}

/// What the line after belongs to.
enum Next {
    SameRecord,
    NextRecord,
}

impl Default for Scan {
    fn default() -> Self {
        Self { fields: 1, in_quotes: false }
    }
}

impl Scan {
    /// Goes through one line, without its line feed.
    fn line(&mut self, mut rest: &[u8]) -> Result<Next, Unreadable> {
        loop {
            if !self.in_quotes && rest.first() == Some(&b'"') {
                self.in_quotes = true;
                rest = &rest[1..];
            }
            if self.in_quotes {
                let Some(quote) = memchr(b'"', rest) else {
                    return Ok(Next::SameRecord);
                };
                rest = &rest[quote + 1..];
                match rest {
                    [b'"', ..] => {
                        rest = &rest[1..];
                        continue;
                    }
                    [] | [b'\r'] => return Ok(Next::NextRecord),
                    [b',', ..] => {}
                    _ => return Err(Unreadable::TextAfterQuote),
                }
                self.in_quotes = false;
            }
            let Some(comma) = memchr(b',', rest) else {
                return Ok(Next::NextRecord);
            };
            self.fields += 1;
            rest = &rest[comma + 1..];
        }
    }
}

/// The fields of a record without a quote.
#[inline]
pub(super) fn plain(record: &str) -> Result<Entry<'_>, Unreadable> {
    let record = record.strip_suffix('\r').unwrap_or(record);
    let mut fields = [record; FIELDS];
    let mut rest = record;
    for field in &mut fields[..FIELDS - 1] {
        // Fields before the path are short: looking byte by byte finds their ends soonest.
        let Some(comma) = rest.bytes().position(|byte| byte == b',') else {
            return Err(wrong_count(record));
        };
        *field = &rest[..comma];
        rest = &rest[comma + 1..];
    }
    if memchr(b',', rest.as_bytes()).is_some() {
        return Err(wrong_count(record));
    }
    fields[FIELDS - 1] = rest;
    Ok(Entry::from_fields(fields))
}

#[cold]
fn wrong_count(record: &str) -> Unreadable {
    let found = memchr_iter(b',', record.as_bytes()).count() + 1;
    Unreadable::Fields { found }
}

/// The fields of a record that [`join`] found to be right; `unquoted` holds them.
pub(super) fn quoted<'a>(record: &str, unquoted: &'a mut String) -> Entry<'a> {
    let mut rest = record.strip_suffix('\r').unwrap_or(record);
    unquoted.clear();
    let mut ends = [0; FIELDS];
    for end in &mut ends {
        rest = match rest.strip_prefix('"') {
            Some(rest) => unquote(rest, unquoted),
            None => {
                let (field, rest) = rest.split_once(',').unwrap_or((rest, ""));
                unquoted.push_str(field);
                rest
            }
        };
        *end = unquoted.len();
    }
    let mut start = 0;
    Entry::from_fields(ends.map(|end| {
        let field = &unquoted[start..end];
        start = end;
        field
    }))
}

/// Appends a quoted field, whose opening quote is gone, and gives what follows the comma after it.
fn unquote<'a>(mut rest: &'a str, unquoted: &mut String) -> &'a str {
    while let Some((part, after)) = rest.split_once('"') {
        unquoted.push_str(part);
        let Some(after_pair) = after.strip_prefix('"') else {
            return after.strip_prefix(',').unwrap_or(after);
        };
        unquoted.push('"');
        rest = after_pair;
    }
    rest
}
