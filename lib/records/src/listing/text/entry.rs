//! Any line -> `Entry`, or why not.

use memchr::memchr_iter;

use super::date;
use super::words::{is_mode, is_number};
use crate::Unreadable;
use crate::listing::{Entry, FIELDS};

/// Reads a line of `ls -l`; `size` holds the size of a device.
///
/// The date anchors the line: it is the first one behind at least two words. The word before it is
/// the size; what lies between the links and the size are the user and the group.
pub(super) fn parse<'a>(line: &'a str, size: &'a mut String) -> Result<Entry<'a>, Unreadable> {
    let (mode, rest) = split_mode(line)?;
    let (links, rest) = split_word(rest);
    if !is_number(links.as_bytes()) {
        return Err(Unreadable::Links);
    }
    let (before, date, path) = split_at_date(rest).ok_or(Unreadable::Date)?;
    let path = path.strip_prefix(' ').filter(|path| !path.is_empty());
    let path = path.ok_or(Unreadable::Path)?;
    let is_device = mode.starts_with(['b', 'c']);
    let (names, size) = split_size(before, is_device, size).ok_or(Unreadable::Size)?;
    let (user, group) = split_names(names)?;
    Ok(Entry { mode, links, user, group, size, date, path })
}

/// The fields of a line whose columns are clear at a glance: five words, a date, a path. None: it is to be
/// [parsed](parse).
#[inline]
pub(in crate::listing) fn plain_fields(line: &[u8]) -> Option<[&[u8]; FIELDS]> {
    let (mode, rest) = split_plain_word(line);
    let (links, rest) = split_plain_word(rest);
    let (user, rest) = split_plain_word(rest);
    let (group, rest) = split_plain_word(rest);
    let (size, rest) = split_plain_word(rest);
    let (date, rest) = date::split_bytes(rest)?;
    let path = rest.strip_prefix(b" ").filter(|path| !path.is_empty())?;
    let is_device = matches!(mode, [b'b' | b'c', ..]);
    let is_plain = is_marked_mode(mode) && !is_device && is_number(links) && is_number(size);
    is_plain.then_some([mode, links, user, group, size, date, path])
}

/// The first word, and what follows the blanks after it.
#[inline]
fn split_plain_word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|&byte| byte == b' ').unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let blanks = rest.iter().position(|&byte| byte != b' ').unwrap_or(rest.len());
    (word, &rest[blanks..])
}

/// The mode: a type, nine rights, and at most one mark for what rights cannot say.
fn split_mode(line: &str) -> Result<(&str, &str), Unreadable> {
    let (mode, rest) = line.split_once(' ').unwrap_or((line, ""));
    if is_marked_mode(mode.as_bytes()) {
        return Ok((mode, rest));
    }
    let mut columns = rest.split(' ').filter(|word| !word.is_empty()).take(2);
    Err(if mode.ends_with("?????????") {
        Unreadable::UnknownMode
    } else if columns.any(|word| is_marked_mode(word.as_bytes())) {
        Unreadable::ColumnBeforeMode
    } else if line.starts_with("ls: ") {
        Unreadable::Message
    } else {
        Unreadable::Mode
    })
}

fn is_marked_mode(word: &[u8]) -> bool {
    match word.split_first_chunk() {
        Some((mode, [] | [b'+' | b'.' | b'@'])) => is_mode(mode),
        _ => false,
    }
}

/// What lies before the date, the date, and what lies after it.
fn split_at_date(text: &str) -> Option<(&str, &str, &str)> {
    let bytes = text.as_bytes();
    let after_blanks = memchr_iter(b' ', bytes).map(|at| at + 1);
    let words = after_blanks.filter(|&start| bytes.get(start).is_some_and(|&byte| byte != b' '));
    // A user named like a month stands before any size: the date cannot start there.
    let skipped = if text.starts_with(' ') { 2 } else { 1 };
    words.skip(skipped).find_map(|start| {
        let (date, after) = date::split(&text[start..])?;
        Some((&text[..start], date, after))
    })
}

/// The last word before the date, or of a device the last two, `8,   0`.
fn split_size<'a>(before: &'a str, is_device: bool, size: &'a mut String) -> Option<(&'a str, &'a str)> {
    let (names, last) = split_last_word(before);
    if !is_device {
        return is_number(last.as_bytes()).then_some((names, last));
    }
    let (names, major, minor) = match last.split_once(',') {
        Some((major, minor)) => (names, major, minor),
        None => match split_last_word(names) {
            (names, major) if major.ends_with(',') => (names, &major[..major.len() - 1], last),
            _ => return is_number(last.as_bytes()).then_some((names, last)),
        },
    };
    if ![major, minor].iter().all(|number| is_number(number.as_bytes())) {
        return None;
    }
    size.clear();
    size.extend([major, ", ", minor]);
    Some((names, size))
}

/// User and group: two words, or more if two or more blanks in just one place tell where the group
/// starts, and nothing speaks for another column or for a date that was taken for a part of a name.
fn split_names(names: &str) -> Result<(&str, &str), Unreadable> {
    let names = names.trim_matches(' ');
    let count = names.split(' ').filter(|word| !word.is_empty()).count();
    let (first, rest) = split_word(names);
    match count {
        0 | 1 => return Err(Unreadable::Names),
        2 => return Ok((first, rest.trim_start_matches(' '))),
        _ => {}
    }
    let (_, last) = split_last_word(names);
    if count == 3 && (last == "?" || last.matches(':').count() >= 2) {
        return Err(Unreadable::SecurityContext);
    }
    // The size of a line whose real date is not understood lies here, before another date in its path.
    if names.split(' ').any(|word| is_number(word.trim_end_matches(',').as_bytes())) {
        return Err(Unreadable::AmbiguousColumns);
    }
    let (user, group) = names.split_once("  ").ok_or(Unreadable::AmbiguousNames)?;
    let group = group.trim_start_matches(' ');
    // `ls -l --author` prints the user again.
    let repeats = |long: &str, short: &str| {
        long.strip_prefix(short).is_some_and(|rest| rest.starts_with(' '))
            || long.strip_suffix(short).is_some_and(|rest| rest.ends_with(' '))
    };
    if group.contains("  ") || repeats(user, group) || repeats(group, user) {
        return Err(Unreadable::AmbiguousNames);
    }
    Ok((user, group))
}

/// The first word, without the blanks before it, and the rest after one blank.
fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches(' ');
    text.split_once(' ').unwrap_or((text, ""))
}

/// The last word, without the blanks after it, and what lies before it.
fn split_last_word(text: &str) -> (&str, &str) {
    let text = text.trim_end_matches(' ');
    text.rsplit_once(' ').unwrap_or(("", text))
}

#[cfg(test)]
mod tests;
